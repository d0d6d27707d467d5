// Type stripping by amaro, the library that newer versions of Node carry inside.
'use strict';

function load() {
  try {
    return require('amaro').transformSync;
  } catch {
    throw new Error(`this server has no TypeScript for Node ${process.versions.node}: npm could not install amaro when ` +
      'the runtimes were copied');
  }
}

const transformSync = load();

// Types become spaces, so lines and columns stay.
exports.stripTypes = (source, filename) => {
  try {
    return transformSync(source, { mode: 'strip-only', filename }).code;
  } catch (error) {
    throw new SyntaxError(`${filename}: ${error.message ?? error}`);
  }
};
