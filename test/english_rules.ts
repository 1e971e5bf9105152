/**
 * Words and patterns that the style page bans: see docs/contributing/style.md.
 *
 * @module
 */
import type { EnglishText } from './english_texts.ts'

/** One banned pattern. */
export interface Rule {
  name: string
  pattern: RegExp
  advice: string
  /** Only texts of this kind, when given. */
  kind?: EnglishText['kind']
}

/** Where a sentence or a part of one begins. */
const START = String.raw`(?:^|\0|[.;:!?(]\s)\s*`
/** Where a whole sentence begins. */
const SENTENCE = String.raw`(?:^|\0|[.!?]\s)\s*`
/** Up to `n` words without punctuation between them. */
const words = (n: number) => String.raw`(?:[\w'’/-]+\s+){1,${n}}`
const BE = '(?:is|are|was|were|be|been)'

/** A space in a pattern is any white space. */
const rule = (name: string, pattern: string, advice: string, kind?: EnglishText['kind']): Rule => ({
  name,
  pattern: new RegExp(pattern.replaceAll(' ', String.raw`\s+`), name === 'begins with Of' ? 'g' : 'gi'),
  advice,
  ...(kind && { kind }),
})

/** All rules. Each is narrow on purpose: a hit should be worth a rewrite. */
export const RULES: readonly Rule[] = [
  rule(
    'vague pronoun',
    String.raw`\b(?:some|any|every|no)body(?:'s|’s)?\b|\b(?:who|what|whom|whoso)ever\b`,
    'name the role (caller, operator, auditor), or say "any", "every", "no one"',
  ),
  rule(
    'archaic',
    String.raw`\b(?:anew|lest|whence|hitherto|thither|unasked|amongst|whilst)\b`,
    'use the plain word: "again", "so that … not", "by itself"',
  ),
  rule('but for', String.raw`\bbut for\b|\bnone but\b|\bbut once\b`, 'say "except", "only" or "once"'),
  rule('is let', String.raw`\b${BE} let\b`, 'say "may" or "is allowed to"'),
  rule(
    'stands in',
    String.raw`\bst(?:ands?|ood|anding) in\b(?! (?:the|its|his|her) way)`,
    'say "is in", "replaces" or "instead of"',
  ),
  rule('goes on', String.raw`\b(?:go|goes|going|gone|went) on\b`, 'say "continues"'),
  rule(
    'word',
    String.raw`\bby (?:its|their|an?|the) (?:operator's |operator’s )?word\b|\bthe last word\b`,
    'say what is done: "the setting that accepts it", "the last call wins"',
  ),
  rule(
    'is so',
    String.raw`\b(?:it|that|this|which|one|they) (?:is|was|does|did|do|are|were|says|has been) so\b(?=\s*(?:[.,;:)]|$))`,
    'repeat the verb',
  ),
  rule(
    'who asks',
    String.raw`\b(?:for|of|to|by|from|with|as|than|about|on|at) who\b(?!['’])|${START}who(?:ever)? asks?\b|\bwhat asks\b|\b(?:tells?|told|knows?|tell|shows?) who asks\b`,
    'name the role: "the caller"',
  ),
  rule('looked at', String.raw`\b${BE} looked (?:at|into|after)\b`, 'say "checked", "read" or "considered"'),
  rule('in vain', String.raw`\bin vain\b`, 'say "without success", or that it fails'),
  rule('parted by', String.raw`\bparted by\b`, 'say "separated by"'),
  rule(
    'says of',
    String.raw`\b(?:says?|said|saying|tells?|told|telling|known?|knows|asked) of\b(?! course)`,
    'say "about"',
  ),
  rule('of how many', String.raw`\bof how many\b|\bof which of\b`, 'say "the number of", "the share of"'),
  rule('is none', String.raw`(?<!\bthere )\b(?:is|are|was|were) none\b`, 'say what it is not: "is not a …"'),
  rule(
    'is no',
    String.raw`(?<!\bthere )\b(?:is|are|was|were) no (?!longer|more|less|fewer|better|worse|later|earlier|sooner|larger|greater|higher|lower|smaller|older|newer|shorter|slower|faster|different|such|match|reason|one\b)[a-z]\w*`,
    'say "is not a …"',
  ),
  rule('no more', String.raw`\bno more(?=\s*(?:[.,;:)]|\0|$))`, 'say "no longer"'),
  rule('another than', String.raw`\banother than\b`, 'say "other than" or "a different …"'),
  rule('at the most', String.raw`\bat the (?:most|least)(?=\s*(?:[.,;:)]|\0|$))`, 'say "at most", "at least"'),
  rule('of ours', String.raw`\bof (?:ours|yours|theirs|mine|hers)\b`, 'say "our", "your", or whose it is'),
  rule(
    'is there',
    String.raw`\b(?:that|which) (?:is|are|was|were) (?:not )?there\b(?! (?:is|are|was|were))|\b(?:is|are|was|were) not there\b`,
    'say "exists", "is missing"',
  ),
  rule('is to be', String.raw`\b(?:is|are|was|were) (?:not )?to be\b`, 'say "must", "must not" or "will"'),
  rule('be had', String.raw`\b${BE} had\b`, 'say "is available"'),
  rule(
    'comes of',
    String.raw`\b(?:comes?|came|coming|becomes?|became) of\b(?! age)`,
    'say "the result", "what happened to"',
  ),
  rule('is said', String.raw`\b${BE} said\b`, 'say who reports it, or "is reported"'),
  rule(
    'what is',
    String.raw`${START}what (?:is|was|are|were|has|had|can|may|must|does|do|did|comes?|came|stands?|waits?|cannot)\b(?![^.?\0]*\?)|\bwhat (?:is|was|are|were) ${words(4)}(?:is|was|are|were)\b`,
    'begin with the noun: "Values that …", "The cached value is …"',
  ),
  rule(
    'that is … is',
    String.raw`\bthat (?:is|was|are|were) (?!not )(?:(?!and |or |but )[\w'’/-]+ ){1,3}(?:is|was|are|were)\b`,
    'use an adjective: "an expired token is …"',
  ),
  rule(
    'that-clause',
    `${SENTENCE}that (?:an?|the|no|nothing|every|each|its|their|there|they|one) `,
    'make the thing the subject',
  ),
  rule(
    'begins with Of',
    String.raw`${SENTENCE}Of (?!course)[a-z]\w*`,
    'begin with the thing: "One of …", "The number of …"',
  ),
  rule(
    'bare the same',
    String.raw`\b(?:wants?|wanted|asks?|asked|changed|gets?|got) the same(?=\s*(?:[.,;:)]|\0|$)| (?:at|in|within|and|or|for|to|by|on|from)\b)|${START}the same(?=\s*[,;.]| (?:within|for|of|with|as|in|at|by)\b)`,
    'say the same what',
  ),
  rule('bare another', `${START}(?:another['’]s|another,|none,|none is|others['’]|other's)`, 'say another what'),
  rule('one’s', String.raw`\bone['’]s own\b|\boneself\b`, 'say "the caller\'s", "its"'),
  rule('passed by', String.raw`\bto be passed by\b`, 'say "cannot be bypassed"'),
  rule(
    'how it is called',
    String.raw`\bhow (?:it|they|${words(2)}) ?(?:is|are) called\b|\bhow (?:the )?\w+ calls (?:it|them|these)\b`,
    'say "what … is called", or "the name of"',
  ),
  rule(
    'not in this repository',
    String.raw`\bDESIGN\b|\bhouse\.md\b|\bthe specification (?:says|calls|asks|wants)\b|\bissue \d+\b`,
    'cite a standard, or a page of docs/',
  ),
  rule(
    'title',
    String.raw`^\s*(?:row [0-9, ]+: )?(?:of|that|which|who|whose|what|whom) `,
    'state the behaviour: "rejects a proof for another URL"',
    'title',
  ),
]
