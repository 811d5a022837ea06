/** Pages in a real browser: Debian's `chromium`, headless. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { has } from './proxies.js';

/** Why tests with a browser are skipped; false where there is one. */
export const lacksBrowser = has('chromium') ? false : 'needs chromium';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where pictures of it go, to be looked at; none are made otherwise. */
const PICTURES = process.env.HOLDFAST_PICTURES;

/**
 * For each new page Chromium would start another process, for the next one. The others
 * are what Playwright leaves out, as far as it matters here: of several such lists Chromium takes the last.
 */
const LEFT_OUT = [
  ...['SpareRendererForSitePerProcess'],
  ...[
    'AimEnabled',
    'AvoidUnnecessaryBeforeUnloadCheckSync',
    'DestroyProfileOnBrowserClose',
    'HttpsFirstBalancedModeAutoEnable',
  ],
  ...[
    'HttpsUpgrades',
    'MediaRouter',
    'NetworkTimeServiceQuerying',
    'OptimizationHints',
    'PaintHolding',
    'PreconnectToSearch',
  ],
];

/** One for all of them: each has a context of its own. */
let browser: Promise<Browser> | undefined;
function browse(): Promise<Browser> {
  browser ??= (async () => {
    const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
    const args = ['--no-sandbox', `--disable-features=${LEFT_OUT.join(',')}`];
    const launched = await chromium.launch({ executablePath, args, timeout: 120_000 });
    t.teardown(() => launched.close());
    return launched;
  })();
  return browser;
}

/** The page at a port of loopback, and whatever it complains of or asks elsewhere for. */
export async function open(t: Test, port: number, colorScheme: 'light' | 'dark' = 'light') {
  const url = `http://127.0.0.1:${port}/`;
  const context = await (await browse()).newContext({ viewport: { width: 1280, height: 900 }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  t.teardown(() => context.close());
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // The browser itself tells of an answer that is no 200, and of a connection that was lost.
    if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) faults.push(`asks for ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}

/** Waits until the page says so of the state. */
export const state = (page: Page, text: RegExp) => page.locator('#state', { hasText: text }).waitFor();

export async function picture(page: Page, name: string) {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
}

/** What would keep somebody out. It is picked in the page: all that was looked at is some hundred kilobytes. */
export async function barriers(page: Page): Promise<string[]> {
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(AXE);
  return (await page.evaluate(`(async () => {
    const { violations } = await axe.run({ resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 120)).join(' '));
  })()`)) as string[];
}
