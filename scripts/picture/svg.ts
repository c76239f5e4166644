/** Captured terminal text, with its colours, as an SVG. */

type Style = { fill: string; bold: boolean };
type Run = Style & { column: number; text: string };

const CELL_WIDTH = 7.83;
const LINE_HEIGHT = 18;
const MARGIN = 18;
const TITLE_HEIGHT = 34;
const GAP = 14;
const FOREGROUND = '#d6dbe4';
const BACKGROUND = '#161b26';
const FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
/** The eight colours of a terminal, then the bright ones. */
const PALETTE = [
  ['#3b4252', '#f07178', '#a5d66b', '#e6c15c', '#7aa2f7', '#c792ea', '#5fd0d8', '#d6dbe4'],
  ['#7c869a', '#f07178', '#a5d66b', '#e6c15c', '#7aa2f7', '#c792ea', '#5fd0d8', '#ffffff'],
] as const;
const SGR = /\u001b\[([\d;]*)m/g;
const PLAIN: Style = { fill: FOREGROUND, bold: false };

function styled(style: Style, codes: string): Style {
  let next = style;
  for (const code of codes.split(';').map(Number)) {
    if (code === 0) next = PLAIN;
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 22) next = { ...next, bold: false };
    else if (code === 39) next = { ...next, fill: FOREGROUND };
    else if (code >= 30 && code <= 37) next = { ...next, fill: PALETTE[0][code - 30] ?? FOREGROUND };
    else if (code >= 90 && code <= 97) next = { ...next, fill: PALETTE[1][code - 90] ?? FOREGROUND };
  }
  return next;
}

/** The parts of each line that look alike. A style goes on over the end of a line, as it does on a terminal. */
function runsOf(lines: readonly string[]): Run[][] {
  let style = PLAIN;
  return lines.map((line) => {
    const runs: Run[] = [];
    let column = 0;
    for (const [index, part] of line.split(SGR).entries()) {
      if (index % 2 === 1) style = styled(style, part);
      else if (part !== '') {
        runs.push({ ...style, column, text: part });
        column += [...part].length;
      }
    }
    return runs;
  });
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function textOf(run: Run, y: number): string {
  const x = (MARGIN + run.column * CELL_WIDTH).toFixed(1);
  const weight = run.bold ? ' font-weight="bold"' : '';
  // The width is told, so that columns stand under each other in whatever font there is.
  const length = ([...run.text].length * CELL_WIDTH).toFixed(1);
  const place = `x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs"`;
  return `<text ${place} fill="${run.fill}"${weight}>${escapeXml(run.text)}</text>`;
}

/** One window with the screens under each other, a line between them. `columns`: the width of the terminal. */
export function toSvg(screens: readonly (readonly string[])[], columns: number, title: string): string {
  const width = Math.ceil(columns * CELL_WIDTH + 2 * MARGIN);
  const parts: string[] = [];
  let top = TITLE_HEIGHT + MARGIN;
  for (const [index, lines] of screens.entries()) {
    if (index > 0) {
      parts.push(`<path d="M0 ${top}H${width}" stroke="#2b3343"/>`);
      top += GAP + 8;
    }
    for (const [row, runs] of runsOf(lines).entries()) {
      for (const run of runs) if (run.text.trim() !== '') parts.push(textOf(run, top + row * LINE_HEIGHT));
    }
    top += lines.length * LINE_HEIGHT - 8;
  }
  const height = top + 6;
  const lights = ['#f07178', '#e6c15c', '#a5d66b'].map(
    (fill, at) => `<circle cx="${20 + at * 18}" cy="17" r="5.5" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">
<rect width="${width}" height="${height}" rx="9" fill="${BACKGROUND}"/>
<path d="M0 ${TITLE_HEIGHT}H${width}" stroke="#2b3343"/>
${lights.join('')}
<g font-family="${FONT}" font-size="13" xml:space="preserve">
<text x="${width / 2}" y="22" fill="#7c869a" text-anchor="middle">${escapeXml(title)}</text>
${parts.join('\n')}
</g>
</svg>
`;
}
