import fc from 'fast-check';

const isCharacter = (code: number) => code < 0xd800 || code > 0xdfff;

/**
 * One character, any of Unicode's: most are Latin, controls among them, or of the scripts that have the lowest numbers. As
 * fast-check's unit `binary`, which first makes a table of all of them, for two seconds.
 */
export const anyCharacter = fc
  .oneof(fc.nat(0xff), fc.nat(0xff), fc.nat(0x30ff), fc.nat(0x10_ffff).filter(isCharacter))
  .map((code) => String.fromCodePoint(code));
