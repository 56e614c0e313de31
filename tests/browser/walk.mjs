// A real browser walks through the dashboard. Told on standard input what to visit (JSON, see walk.rs);
// prints one JSON line a finding, {"step", "ok", ...}; exits 0 when all are well. Waits for events, never for time.
// Run from tests/peers, where the packages are:  node ../browser/walk.mjs < plan.json
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');

const plan = JSON.parse(readFileSync(0, 'utf8'));
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
let failed = 0;

function say(step, ok, more = {}) {
  if (!ok) failed += 1;
  console.log(JSON.stringify({ step, ok, ...more }));
}

/** Runs a step; what it throws is its failure. */
async function step(name, work) {
  try {
    const more = await work();
    say(name, true, more ?? {});
  } catch (error) {
    say(name, false, { why: String(error?.message ?? error).slice(0, 2000) });
  }
}

function check(truth, why) {
  if (!truth) throw new Error(why);
}

const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});

/** A page that notes whatever must not happen: errors, refused content, dialogs, requests to elsewhere. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: DESK, baseURL: plan.base, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const bad = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) bad.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => bad.push(`script: ${error.message}`));
  page.on('dialog', async (dialog) => { bad.push(`dialog: ${dialog.message()}`); await dialog.dismiss(); });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(plan.base) && !url.startsWith('data:')) bad.push(`request to elsewhere: ${url}`);
  });
  return { context, page, bad };
}

async function signIn(page) {
  await page.goto('/sign-in');
  await page.getByLabel('Name').fill(plan.name);
  await page.getByLabel('Password').fill(plan.password);
  await Promise.all([page.waitForURL('**/elections'), page.keyboard.press('Enter')]);
}

async function axe(page, rules) {
  let judge = new AxeBuilder({ page });
  if (rules) judge = judge.withRules(rules);
  const { violations } = await judge.analyze();
  const said = violations.map((v) => `${v.id}: ${v.help} (${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')})`);
  check(said.length === 0, `axe: ${said.join('; ')}`);
}

async function noOverflow(page) {
  const wide = await page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return null;
    const out = [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > room + 1
      && !e.closest('.scroll') && getComputedStyle(e).position !== 'absolute');
    return `${document.documentElement.scrollWidth} px of ${room}: ${out.slice(0, 3).map((e) => `${e.tagName}.${e.className}`).join(', ')}`;
  });
  check(wide === null, `wider than the screen: ${wide}`);
}

async function shot(page, name) {
  if (!plan.shots) return;
  const file = name.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '') || 'root';
  await page.screenshot({ path: join(plan.shots, `${file}.png`), fullPage: true });
}

/** One page in both widths and both schemes, weighed, judged. */
async function visit(page, bad, session, address, budget) {
  bad.length = 0;
  let bytes = 0;
  const count = (event) => { bytes += event.encodedDataLength; };
  session.on('Network.loadingFinished', count);
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: 'light' });
  const response = await page.goto(address, { waitUntil: 'load' });
  session.off('Network.loadingFinished', count);
  check(response.status() === 200, `status ${response.status()}`);
  const facts = await page.evaluate(() => ({
    heads: document.querySelectorAll('h1').length, lang: document.documentElement.lang, title: document.title,
    scripts: document.scripts.length, styles: document.querySelectorAll('style, [style]').length,
    order: document.querySelectorAll('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])').length,
  }));
  check(facts.heads === 1, `${facts.heads} h1`);
  check(facts.lang && facts.title, 'no lang or no title');
  check(facts.scripts === 0 && facts.styles === 0, `${facts.scripts} scripts, ${facts.styles} inline styles`);
  check(facts.order === 0, 'a tab order of its own');
  check(bytes <= budget, `${bytes} bytes of ${budget}`);
  await axe(page);
  await noOverflow(page);
  await shot(page, `${address} desk light`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await axe(page, ['color-contrast']);
  await shot(page, `${address} desk dark`);
  await page.setViewportSize(PHONE);
  await axe(page);
  await noOverflow(page);
  await shot(page, `${address} phone dark`);
  if (plan.shots) {
    await page.emulateMedia({ colorScheme: 'light' });
    await shot(page, `${address} phone light`);
    // Mirrored, as a page in a language from right to left is.
    await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
    await shot(page, `${address} phone mirrored`);
    await noOverflow(page);
  }
  check(bad.length === 0, bad.join('; '));
  return { bytes };
}

/** What has the focus, and can it be seen that it has? */
function focused(page) {
  return page.evaluate(() => {
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const box = e.getBoundingClientRect();
    const style = getComputedStyle(e);
    return {
      what: `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ''} ${(e.textContent || e.getAttribute('name') || '').trim().slice(0, 40)}`,
      place: [...document.querySelectorAll('*')].indexOf(e),
      outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
      seen: box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    };
  });
}

/** Tabs on until what has the focus is what is sought. */
async function tabTo(page, sought, most = 400) {
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press('Tab');
    if (await sought()) return;
  }
  throw new Error('the keyboard does not reach it');
}

/** Tabs through a page from its top to its end. */
async function tabThrough(page, most = 400) {
  const seen = [];
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (now === null || (seen.length && now.place === seen[0].place)) return seen;
    check(now.outlined, `no outline on ${now.what}`);
    check(now.seen, `focus out of sight on ${now.what}`);
    check(!seen.length || now.place > seen[seen.length - 1].place, `the focus jumps back to ${now.what}`);
    seen.push(now);
  }
  throw new Error('the tab order never ends');
}

// The first page: the sign-in, nothing cached.
{
  const { context, page, bad } = await open();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await step('sign-in page', () => visit(page, bad, session, '/sign-in', plan.first_budget));
  await step('a wrong password is said and its form is well', async () => {
    await page.getByLabel('Name').fill(plan.name);
    await page.getByLabel('Password').fill('not the password');
    await Promise.all([page.waitForResponse((r) => r.request().method() === 'POST'), page.keyboard.press('Enter')]);
    await page.getByRole('alert').waitFor();
    await axe(page);
    await noOverflow(page);
    await shot(page, 'sign-in refused phone light');
  });
  await step('sign-in', async () => {
    bad.length = 0;
    await signIn(page);
  });
  for (const address of plan.pages) {
    await step(`page ${address}`, () => visit(page, bad, session, address, plan.budget));
  }
  await page.setViewportSize(DESK);
  await step('a page that does not exist says so', async () => {
    const response = await page.goto('/elections/nothing-here');
    check(response.status() === 404, `status ${response.status()}`);
    await axe(page);
  });
  await step('a filter', async () => {
    await page.goto(plan.filter.page);
    await page.getByLabel(plan.filter.label, { exact: true }).first().selectOption(plan.filter.value);
    const form = page.getByRole('search').first();
    await Promise.all([page.waitForURL((url) => url.search.includes(plan.filter.query)), form.getByRole('button').first().click()]);
    const rows = await page.locator('tbody tr').count();
    check(rows > 0, 'no rows');
    return { rows };
  });
  await step('a download', async () => {
    await page.goto(plan.download.page);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).first().click()]);
    check(download.suggestedFilename().endsWith('.csv'), download.suggestedFilename());
    const text = readFileSync(await download.path(), 'utf8');
    check(text.charCodeAt(0) === 0xfeff && text.split('\r\n').length > 2, text.slice(0, 80));
    return { file: download.suggestedFilename(), bytes: text.length };
  });
  for (const address of plan.archived) {
    await step(`archived ${address}`, () => visit(page, bad, session, address, plan.budget));
  }
  await page.setViewportSize(DESK);
  await step('an archived election from the list of elections', async () => {
    await page.goto('/elections');
    const way = page.getByRole('region', { name: 'Archived elections' }).getByRole('link').first();
    await Promise.all([page.waitForURL('**/elections/*-*'), way.click()]);
    check(await page.locator('.state.archived').count() === 1, 'it does not say that it is archived');
  });
  await step('a filter of an archived election', async () => {
    await page.goto(plan.archive.page);
    await page.getByLabel(plan.archive.label, { exact: true }).first().selectOption(plan.archive.value);
    const form = page.getByRole('search').first();
    await Promise.all([page.waitForURL((url) => url.search.includes(plan.archive.query)), form.getByRole('button').first().click()]);
    const rows = await page.locator('tbody tr').count();
    check(rows > 0, 'no rows');
    return { rows };
  });
  await step('a download of an archived election', async () => {
    await page.goto(plan.archive.page);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).first().click()]);
    const text = readFileSync(await download.path(), 'utf8');
    check(text.charCodeAt(0) === 0xfeff && text.split('\r\n').length > 2, text.slice(0, 80));
    check(!/(^|,)"?[=+@]/m.test(text), 'a cell would be run');
    return { file: download.suggestedFilename(), bytes: text.length };
  });
  await context.close();
}

// What an attacker sent, at the width of a phone.
{
  const { context, page, bad } = await open({ viewport: PHONE });
  await signIn(page);
  for (const address of plan.hostile) {
    await step(`hostile ${address}`, async () => {
      bad.length = 0;
      const response = await page.goto(address, { waitUntil: 'load' });
      check(response.status() === 200, `status ${response.status()}`);
      for (const fold of await page.locator('details').all()) await fold.evaluate((d) => { d.open = true; });
      const found = await page.evaluate(() => {
        const turns = /[\u202a-\u202e\u2066-\u2069]/;
        const loose = [];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
          const node = texts.currentNode;
          if (turns.test(node.data) && !node.parentElement.closest('bdi, option')) loose.push(node.data.slice(0, 60));
        }
        return {
        ran: 'pwned' in window, scripts: document.scripts.length,
        images: [...document.images].filter((i) => !i.src.startsWith('data:')).length,
        handlers: [...document.querySelectorAll('*')].filter((e) => e.getAttributeNames().some((n) => n.startsWith('on'))).length,
        loose, title: turns.test(document.title),
        };
      });
      check(!found.ran && found.scripts === 0 && found.images === 0 && found.handlers === 0, JSON.stringify(found));
      check(found.loose.length === 0 && !found.title, `what turns the direction is not isolated: ${JSON.stringify(found)}`);
      await noOverflow(page);
      await shot(page, `hostile ${address}`);
      check(bad.length === 0, bad.join('; '));
    });
  }
  await context.close();
}

// With the keyboard alone.
{
  const { context, page } = await open();
  await step('keyboard: sign in', async () => {
    await page.goto('/sign-in');
    for (const text of [plan.name, plan.password]) {
      let now = null;
      do {
        await page.keyboard.press('Tab');
        now = await focused(page);
        check(now, 'no field is reached');
      } while (!now.what.startsWith('input') || (text === plan.password && !now.what.startsWith('input#password')));
      await page.keyboard.type(text);
    }
    await Promise.all([page.waitForURL('**/elections'), page.keyboard.press('Enter')]);
  });
  await step('keyboard: from there to a file of an archived election', async () => {
    await tabTo(page, () => page.evaluate(() => document.activeElement.matches('.archived a')));
    await Promise.all([page.waitForURL('**/elections/*-*'), page.keyboard.press('Enter')]);
    await tabTo(page, async () => (await focused(page))?.what.endsWith('Submissions'));
    await Promise.all([page.waitForURL('**/submissions'), page.keyboard.press('Enter')]);
    await tabTo(page, async () => (await focused(page))?.what === 'a CSV');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    const text = readFileSync(await download.path(), 'utf8');
    check(text.split('\r\n').length > 2, text.slice(0, 80));
    return { file: download.suggestedFilename() };
  });
  await step('keyboard: the first stop skips to the content', async () => {
    await page.goto(plan.keyboard[0]);
    await page.keyboard.press('Tab');
    const skip = await focused(page);
    check(skip?.what.includes('Skip') && skip.seen && skip.outlined, JSON.stringify(skip));
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.id === 'main');
    await page.keyboard.press('Tab');
    const next = await focused(page);
    check(next && await page.evaluate(() => document.getElementById('main').contains(document.activeElement)), JSON.stringify(next));
  });
  for (const address of plan.keyboard) {
    await step(`keyboard: through ${address}`, async () => {
      await page.goto(address);
      const stops = await tabThrough(page);
      check(stops.length > 5, `${stops.length} stops`);
      return { stops: stops.length };
    });
  }
  await step('keyboard: follow a tab of the election', async () => {
    await page.goto(plan.keyboard[0]);
    for (let n = 0; n < 60; n += 1) {
      await page.keyboard.press('Tab');
      if ((await focused(page))?.what.endsWith('Submissions')) break;
    }
    await Promise.all([page.waitForURL('**/submissions'), page.keyboard.press('Enter')]);
  });
  await context.close();
}

await browser.close();
say('all', failed === 0, { failed });
process.exit(failed === 0 ? 0 : 1);
