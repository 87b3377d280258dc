/** Small checks of arguments. Each takes a value and the name to blame, and returns the value with its type known. */
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { invalidType, invalidValue, outOfRange, unknownSignal } from './argument-errors.ts'

/** How one option or argument is checked: the value comes back with its type known, or an error names it. */
export type Check<T> = (value: unknown, name: string) => T

export const MAX_INT32 = 2 ** 31 - 1
/** The largest uid or gid: 2^32 - 1 means "no change" to the kernel. */
export const MAX_ID = 2 ** 32 - 2

export function boolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value)
  return value
}

/** A string that C can hold. Arguments and environment are not `shown` in messages: they may be secrets. */
export function cString(value: unknown, name: string, shown = true): string {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value, shown)
  if (value.includes('\0')) throw nulError(name, value, shown)
  return value
}

export function nulError(name: string, value: unknown, shown = true): TypeError {
  const problem = 'must be a string without null bytes'
  return shown ? invalidValue(name, problem, value) : invalidValue(name, problem)
}

export function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value)
  return value
}

/** Milliseconds, or whatever else counts from 0. */
export function unsigned(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (!Number.isInteger(value) || value < 0) throw outOfRange(name, 'an unsigned integer', value)
  return value
}

export function oneOf<const T>(value: unknown, name: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found !== undefined) return found
  const listed = choices.map((choice) => `'${String(choice)}'`).join(', ')
  throw typeof value === 'string'
    ? invalidValue(name, `must be one of: ${listed}`, value)
    : invalidType(name, `one of: ${listed}`, value)
}

export function object(value: unknown, name: string): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidType(name, 'of type object', value)
  return value
}

/** A copy, each element read once. */
export function arrayOf<T>(value: unknown, name: string, element: (value: unknown, name: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw invalidType(name, 'an instance of Array', value)
  return Object.freeze(Array.from(value, (item: unknown, i) => element(item, `${name}[${i}]`)))
}

/** A path as text, from a string or a file: URL. */
export function pathString(value: string | URL, name: string): string {
  return cString(typeof value === 'string' ? value : fileURLToPath(value), name)
}

const SIGNALS = new Map(Object.entries(constants.signals))

/** As Node takes signals: a name in any case, or the number of one that has a name. */
export function signal(value: unknown, name: string): NodeJS.Signals | number {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw invalidType(name, 'one of type string or number', value)
  signalNumber(value)
  return value as NodeJS.Signals | number
}

export function signalNumber(value: unknown): number {
  if (typeof value === 'string') {
    const number = SIGNALS.get(value.toUpperCase())
    if (number !== undefined) return number
  } else if (typeof value === 'number' && [...SIGNALS.values()].includes(value)) {
    return value
  }
  throw unknownSignal(value)
}

/** Of names that share a number (SIGABRT, SIGIOT) the first, as Node says it. Real-time signals have names in Linux's way. */
export function signalName(number: number): NodeJS.Signals {
  for (const [name, value] of SIGNALS) if (value === number) return name as NodeJS.Signals
  const realTime = number === 34 ? 'SIGRTMIN' : `SIGRTMIN+${number - 34}`
  return (number >= 34 ? realTime : `SIG${number}`) as NodeJS.Signals
}

/**
 * Own properties alone, each read once; what is undefined is absent, and so is null for `nullable` names. A name that
 * is not `known` is refused, with the nearest that is: a misspelt wish must never be ignored.
 */
export function ownProperties<K extends string>(
  value: object,
  name: string,
  known: readonly K[],
  nullable: ReadonlySet<string> = new Set(),
): ReadonlyMap<K, unknown> {
  const found = new Map<K, unknown>()
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === 'symbol') continue
    if (!isKnown(key, known)) throw unknownOption(name, key, known)
    const property: unknown = Reflect.get(value, key)
    if (property === undefined || (property === null && nullable.has(key))) continue
    found.set(key, property)
  }
  return found
}

function isKnown<K extends string>(key: string, known: readonly K[]): key is K {
  return (known as readonly string[]).includes(key)
}

function unknownOption(name: string, key: string, known: readonly string[]): TypeError {
  const near = nearest(key, known)
  return invalidValue(`${name}.${key}`, near ? `is unknown; did you mean '${near}'?` : 'is unknown')
}

/**
 * A copy through which nothing shows that somebody has put on Object.prototype: what it lacks is undefined, to the Rust
 * half too.
 */
export function bare<T extends object>(value: T): T {
  return Object.assign(Object.create(null) as T, value)
}

/** The candidate that the fewest slips of the fingers turn into `word`; undefined when even that is far. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const farthest = Math.max(2, Math.ceil(word.length / 3))
  const near = candidates
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= farthest)
    // Of equals the one that begins alike: 'group' is 'groups' rather than 'cgroup'.
    .sort((a, b) => a.distance - b.distance || sharedStart(word, b.name) - sharedStart(word, a.name))
  return near[0]?.name
}

function sharedStart(a: string, b: string): number {
  const end = [...a].findIndex((character, i) => character !== b[i])
  return end < 0 ? a.length : end
}

/** Insertions, deletions, substitutions and swaps of neighbours (Damerau, restricted). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforeLast[j - 2] ?? 0) + 1 : substitution
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution, swap))
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[b.length] ?? 0
}
