/** Steps of those who write and run programs in the playground. */
import { type Page, expect } from '@playwright/test';

export async function type(page: Page, code: string): Promise<void> {
  await page.locator('.cm-content').click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(code);
}

export const run = (page: Page) => page.keyboard.press('ControlOrMeta+Enter');
export const status = (page: Page) => page.getByTestId('status');
export const output = (page: Page) => page.getByRole('log', { name: 'Output' });

export async function open(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/playground`);
  await expect(page.locator('.cm-content')).toBeVisible();
}
