// Type stripping by amaro, the library that newer versions of Node carry inside.
'use strict';

const { transformSync } = require('amaro');

// Types become spaces, so lines and columns stay.
exports.stripTypes = (source, filename) => {
  try {
    return transformSync(source, { mode: 'strip-only', filename }).code;
  } catch (error) {
    throw new SyntaxError(`${filename}: ${error.message ?? error}`);
  }
};
