/** One group of bars: a label below, and a value for each series. */
export interface Group {
  label: string
  values: readonly number[]
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 280, 60, 40, 44]
const COLOURS = ['#0969da', '#1a7f37', '#9a6700', '#8250df']

/**
 * Draws bars as SVG: no script, no style sheet, so that any viewer shows it.
 *
 * @param series What the bars of a group stand for, in order.
 */
export function barChart(title: string, unit: string, series: readonly string[], groups: readonly Group[]): string {
  const most = niceCeiling(Math.max(...groups.flatMap(({ values }) => values)))
  const y = (value: number) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP)
  const groupWidth = (WIDTH - LEFT - 20) / groups.length
  const barWidth = (groupWidth * 0.8) / series.length
  const bars = groups.flatMap(({ values }, g) =>
    values.map((value, s) => {
      const x = LEFT + groupWidth * (g + 0.1) + barWidth * s
      const size = `width="${(barWidth - 1).toFixed(1)}" height="${(HEIGHT - BOTTOM - y(value)).toFixed(1)}"`
      return `<rect x="${x.toFixed(1)}" y="${y(value).toFixed(1)}" ${size} fill="${COLOURS[s]}"/>`
    }),
  )
  const lines = [0, most / 2, most].map(
    (value) =>
      `<path d="M${LEFT} ${y(value)}H${WIDTH - 20}" stroke="#d0d7de"/>${text(LEFT - 8, y(value) + 4, format(value), 'end')}`,
  )
  const labels = groups.map(({ label }, g) => text(LEFT + groupWidth * (g + 0.5), HEIGHT - BOTTOM + 18, label))
  const legend = series.map(
    (name, s) =>
      `<rect x="${LEFT + 100 * s}" y="24" width="10" height="10" fill="${COLOURS[s]}"/>${text(LEFT + 14 + 100 * s, 33, name, 'start')}`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#57606a">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${[text(LEFT, 14, `${title} (${unit})`, 'start'), ...legend, ...lines, ...bars, ...labels].join('\n')}
</svg>
`
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'middle'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`
}

function format(value: number): string {
  return value.toLocaleString('en')
}

/** 1, 2, 4, 5 or 10 times a power of ten: a number that halves well. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

/** The time of an append, with the length of the log in powers of ten from 1,000 to 1,000,000. */
export function logCurve(appends: Record<string, number>): string {
  const [width, height, left, bottom] = [640, 260, 60, 40]
  const curve = Object.entries(appends).map(([size, microseconds]) => ({ size: Number(size), microseconds }))
  const most = 10 * Math.ceil((1.5 * Math.max(...curve.map(({ microseconds }) => microseconds))) / 10)
  const x = (n: number) => left + ((Math.log10(n) - 3) / 3) * (width - left - 20)
  const y = (value: number) => height - bottom - (value / most) * (height - bottom - 20)
  const points = curve.map(({ size, microseconds }) => [x(size).toFixed(1), y(microseconds).toFixed(1)] as const)
  const label = (px: number, py: number, said: string, anchor = 'middle') =>
    `<text x="${px}" y="${py}" text-anchor="${anchor}">${said}</text>`
  const scale = [0, most / 2, most].map(
    (value) =>
      `<path d="M${left} ${y(value)}H${width - 20}" stroke="#d0d7de"/>${label(left - 8, y(value) + 4, `${value} µs`, 'end')}`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#57606a">
<title>Microseconds for an append, from 1,000 to 1,000,000 entries</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${scale.join('\n')}
${[1e3, 1e4, 1e5, 1e6].map((n) => label(x(n), height - bottom + 18, n.toLocaleString('en'))).join('\n')}
${label((left + width) / 2, height - 6, 'entries in the log')}
<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="#0969da" stroke-width="2"/>
${points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="#0969da"/>`).join('\n')}
</svg>
`
}
