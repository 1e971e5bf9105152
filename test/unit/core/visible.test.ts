/** Text that people decide by is what they see: nothing in it is hidden, or in another order than it is. */
import { describe, expect, it } from 'vitest'
import { cleanse, isVisible, visible } from '../../../core/sanitize.ts'
import { CreateToken, PutSecret } from '../../../core/wire/index.ts'
import { openApp } from '../worker/provider_access/provider_access_fixture.ts'

const HIDDEN = [
  ...['\u202e","nimda":"lapicnirp"', 'a\u202ab', 'a\u2066b\u2069', 'a\u200eb', 'a\u200fb', 'a\u061cb'],
  ...['pass\u200bword', 'pa\u2060ss', '\ufeffa', 'a\u00adb', 'a\u2062b', 'a\u180eb'],
  // Joins where they join nothing: between letters that look the same without, at an end, doubled, between digits.
  ...['pa\u200dss', 'pa\u200css', '\u200da', '\u0645\u200c\u200c\u06cc', '1\u200d2', '\u6f22\u200d\u5b57'],
  // Tags, annotations, fillers, and selectors that say something of their own.
  ...['a\u{e0041}\u{e007f}', '\ufff9a\ufffab\ufffb', 'a\u3164b', 'a\u115fb', 'a\u034fb'],
  ...['a\ufe0fb', '\u2764\ufe0f\ufe0f', 'a\u{e0100}b', '\u2764\ufe01'],
  ...['a\u0000b', 'a\nb', 'a\u2028b', '\ud800'],
]
const SEEN = [
  ...['', 'key of the deploy job', 'Größe, naïve, señor', '日本語 漢字', 'עברית', 'العربية', 'Ελληνικά', 'e\u0301'],
  // Persian and Devanagari have need of joins.
  ...['\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u0915\u094d\u200d\u0937', '\u0d28\u0d4d\u200d'.slice(0, 2)],
  // Emoji: families, skin tones, a heart, a keycap, a text variant; variants of Han; Arabic signs that are shown.
  ...['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', '\u{1f44d}\u{1f3fd}', '\u2764\ufe0f', '1\ufe0f\u20e3', '\u2600\ufe0e'],
  ...['\u2764\ufe0f\u200d\u{1f525}', '\u8fbb\u{e0100}', '\u0600\u0661'],
]

describe('a text of one line', () => {
  it.each(HIDDEN)('row 73: is refused with invisible or misleading characters: %j', (text) => {
    expect(isVisible(text)).toBe(false)
    expect(CreateToken.safeParse({ principal: 'ann', label: text }).success).toBe(false)
    expect(PutSecret.safeParse({ value: 'x', tags: { about: text } }).success).toBe(false)
    expect(isVisible(visible(text))).toBe(true)
  })

  it.each(SEEN)('is accepted in any language: %j', (text) => {
    expect([isVisible(text), visible(text), cleanse(text)]).toEqual([true, text, text])
  })

  it('does not restrict values', () => {
    expect(PutSecret.safeParse({ value: 'a\u202eb\u200b' }).success).toBe(true)
  })

  it('is checked in linear time', () => {
    const timeOf = (length: number) => {
      const start = performance.now()
      for (let i = 0; i < 20; i++) isVisible('\u0645\u200c'.repeat(length) + '\ufe0f'.repeat(length))
      return performance.now() - start
    }
    timeOf(1000)
    expect(timeOf(40_000)).toBeLessThan(40 * 8 * Math.max(timeOf(1000), 0.5))
  })

  it('is shown with its hidden characters replaced when 0.1 stored it', async () => {
    const bench = await openApp(null)
    await bench.send(bench.secret('a'), { method: 'PUT', body: '{"value":"x","tags":{"about":"y"}}' })
    bench.sql.all("UPDATE secret SET tags = ? WHERE name = 'a'", JSON.stringify({ about: 'a\u202eb' }))
    const rule = {
      id: 'old',
      effect: 'permit',
      principal: 'admin',
      actions: ['read'],
      resource: 'x',
      conditions: { agents: ['a\u202eb'] },
    }
    bench.sql.all('INSERT INTO rule VALUES (?, 1, ?, 0, ?)', 'old', JSON.stringify(rule), 'admin')
    expect((await bench.admin.get('a')).tags).toEqual({ about: 'a\ufffdb' })
    const listed = await (await bench.send('/v1/vaults/default/rules')).text()
    expect([listed.includes('\u202e'), listed.includes('a\ufffdb')]).toEqual([false, true])
  })
})
