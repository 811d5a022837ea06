/** Which files are a configuration, by their names. */
import path from 'node:path';

/** Whether `holdfast start TARGET` means a configuration: by its extension, or as `*.config.{js,mjs,cjs}`. */
export function isConfigFile(target: string): boolean {
  return /\.(?:json|ya?ml)$/i.test(path.basename(target)) || isConfigProgram(target);
}

/** One that is run to be read. */
export function isConfigProgram(target: string): boolean {
  return /\.config\.[mc]?js$/i.test(path.basename(target));
}
