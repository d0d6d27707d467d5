import { readFileSync } from 'node:fs';

export default await readFileSync;
