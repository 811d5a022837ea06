/** Whether a configuration is PM2's file or holdfast's own. Pure. */
import path from 'node:path';
import { SETTINGS } from '../schema/schema.js';
import { KEY_OF_NAME } from './keys.js';

/** What PM2's own commands and documentation call it. */
export function isPm2Name(file: string): boolean {
  return /^(?:ecosystem|process|processes|pm2)[._-]/i.test(path.basename(file));
}

/**
 * By its name; else by its keys, as both have `apps`. What could be either is holdfast's own.
 *
 * @param file its path
 */
export function isPm2File(contents: object, file: string): boolean {
  if (Array.isArray(contents)) return true;
  const top = contents as Readonly<Record<string, unknown>>;
  if (typeof top.pm2 === 'object' && top.pm2 !== null && !('script' in top)) return true;
  const apps = [top.apps].flat().filter((app): app is object => typeof app === 'object' && app !== null);
  const hasOwn = [top, ...apps].some((one) => Object.keys(one).some(isOwn));
  const hasPm2s = 'deploy' in top || apps.some((app) => Object.entries(app).some(isPm2s));
  if (isPm2Name(file)) return !hasOwn || hasPm2s;
  return !/^holdfast\b/i.test(path.basename(file)) && 'apps' in top && hasPm2s && !hasOwn;
}

function isPm2s([key, value]: [string, unknown]): boolean {
  if (/^env_\S/.test(key)) return true;
  if (!KEY_OF_NAME.has(key)) return false;
  if (!Object.hasOwn(SETTINGS, key)) return true;
  // Where both have the key, some values are PM2's alone.
  return key === 'args' ? typeof value === 'string' : typeof value === 'number' && /Timeout$|Uptime$/.test(key);
}

/** A key that PM2 does not have. */
function isOwn(key: string): boolean {
  return Object.hasOwn(SETTINGS, key) && !KEY_OF_NAME.has(key);
}
