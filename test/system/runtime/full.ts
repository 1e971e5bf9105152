import process from 'node:process'

/** The long form, which `npx node scripts/faults.ts` asks for, takes minutes; the short one is for every day. */
export function inFull<T>(long: T, short: T): T {
  return process.env.FAULTS === 'full' ? long : short
}
