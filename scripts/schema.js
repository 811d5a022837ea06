// Writes config/schema.json, the JSON Schema of a configuration file, from the schema in dist/: build first.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jsonSchema } from '../dist/config/schema/schema.js';

const file = fileURLToPath(new URL('../config/schema.json', import.meta.url));

// Formatted by one space: in the package each byte counts.
writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 1)}\n`);
