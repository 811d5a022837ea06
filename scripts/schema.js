// Writes config/schema.json, the JSON Schema of a configuration file, from the schema in dist/: build first.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { jsonSchema } from '../dist/config/schema/schema.js';

const file = fileURLToPath(new URL('../config/schema.json', import.meta.url));
const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');

writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
const { status } = spawnSync(process.execPath, [biome, 'format', '--write', file], { stdio: 'inherit' });
process.exitCode = status ?? 1;
