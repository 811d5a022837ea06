/**
 * Some calls of node:fs/promises, done at once. Where little else is to be done, as while a supervisor starts, loading that
 * module and the threads behind it takes longer than these calls do.
 */
import fs, { type promises } from 'node:fs';

type Calls = typeof promises;

export const { constants } = fs;
export const access = promised<Calls['access']>(fs.accessSync);
export const chmod = promised<Calls['chmod']>(fs.chmodSync);
export const link = promised<Calls['link']>(fs.linkSync);
export const lstat = promised<Calls['lstat']>(fs.lstatSync);
export const mkdir = promised<Calls['mkdir']>(fs.mkdirSync);
export const readdir = promised<Calls['readdir']>(fs.readdirSync);
export const realpath = promised<Calls['realpath']>(fs.realpathSync.native);
export const rename = promised<Calls['rename']>(fs.renameSync);
export const rm = promised<Calls['rm']>(fs.rmSync);
export const rmdir = promised<Calls['rmdir']>(fs.rmdirSync);
export const stat = promised<Calls['stat']>(fs.statSync);
export const unlink = promised<Calls['unlink']>(fs.unlinkSync);

function promised<Call>(call: (...given: never[]) => unknown): Call {
  return ((...given: never[]) => new Promise((resolve) => resolve(call(...given)))) as Call;
}
