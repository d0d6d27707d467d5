import { defineConfig } from '@playwright/test';

// Nobody's browser is downloaded: Debian's, or the one that DOCLE_TEST_CHROMIUM names.
const chromium = process.env.DOCLE_TEST_CHROMIUM ?? '/usr/bin/chromium';
const patience = 1000 * Number(process.env.DOCLE_TEST_PATIENCE_S ?? '60');
const results = process.env.DOCLE_TEST_RESULTS;

export default defineConfig({
  testDir: 'journeys',
  outputDir: results ? `${results}/artifacts` : 'test-results',
  workers: 1,
  forbidOnly: true,
  timeout: 3 * patience,
  expect: { timeout: patience },
  reporter: results
    ? [['list'], ['junit', { outputFile: `${results}/playwright.xml` }]]
    : [['list']],
  use: {
    browserName: 'chromium',
    testIdAttribute: 'data-test',
    actionTimeout: patience,
    navigationTimeout: patience,
    launchOptions: {
      executablePath: chromium,
      // Chromium's own sandbox does not start as root; the pages are ours.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
    screenshot: 'only-on-failure',
  },
});
