// Looks at pages as axe-core does (WCAG 2.2 AA), in a real browser: `node axe.mjs TOOLS BASE`, with a list of
// {who, cookie, path} as JSON on standard input. Prints one line of JSON for each page with what is wrong with it.
import { createRequire } from 'node:module';
import fs from 'node:fs';
const [tools, base] = process.argv.slice(2);
const require = createRequire(`${tools}/`);
const puppeteer = require('puppeteer-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const pages = JSON.parse(fs.readFileSync(0, 'utf8'));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'].find((path) => fs.existsSync(path));
const browser = await puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'], protocolTimeout: 300000 });
const looks = [{ scheme: 'light', width: 1440 }, { scheme: 'dark', width: 390 }];
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
try {
  for (const { who, cookie, path } of pages) {
    const context = await browser.createBrowserContext();
    if (cookie) await context.setCookie({ name: 'alidade', value: cookie, domain: new URL(base).hostname, path: '/' });
    const page = await context.newPage();
    for (const { scheme, width } of looks) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.setViewport({ width, height: 900 });
      const response = await page.goto(base + path, { waitUntil: 'load', timeout: 120000 });
      await page.evaluate(axe);
      const violations = await page.evaluate(async (tags) => {
        const found = await axe.run(document, { runOnly: tags });
        return found.violations.map((one) => `${one.id} ×${one.nodes.length}: ${one.nodes[0].html.slice(0, 160)}`);
      }, tags);
      // Nothing scrolls sideways (1.4.10).
      if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)) violations.push('the page scrolls sideways');
      console.log(JSON.stringify({ who, path, scheme, width, status: response.status(), violations }));
    }
    await context.close();
  }
} finally {
  await browser.close();
}
