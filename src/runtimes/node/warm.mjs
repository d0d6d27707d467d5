// Loaded in the zygote, so that the ES module loader has run once before any caller's program does.
import { readFileSync } from 'node:fs';

export default readFileSync;
