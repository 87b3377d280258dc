/**
 * Every option of a command by name: whether null counts as absent, and the check that returns what a Command keeps.
 * A new option is a row here.
 */
import { invalidType, invalidValue, outOfRange } from './argument-errors.ts'
import { ATTRIBUTES } from './attributes.ts'
import { type Place, place } from './place.ts'
import { checkSeal } from './seal.ts'
import { checkStdio } from './streams.ts'
import type { CommandOptions, Encoding } from './types.ts'
import type { Check } from './validate.ts'
import * as check from './validate.ts'

/** Options that child_process has, where null is the same as leaving them out. Not `signal`, as in Node. */
export const NULLABLE: ReadonlySet<string> = new Set(
  'argv0 cwd detached encoding env gid input killSignal maxBuffer serialization shell stdio timeout uid'
    .concat(' windowsHide windowsVerbatimArguments')
    .split(' '),
)

export const SCRIPTS = ['deny', 'kernel', 'root'] as const

export const OPTIONS: { readonly [K in keyof Required<CommandOptions>]: Check<NonNullable<CommandOptions[K]>> } = {
  argv0: (value, name) => check.cString(value, name, false),
  check: check.boolean,
  clearEnv: check.boolean,
  cwd,
  encoding,
  env,
  forceKillAfter: check.unsigned,
  input,
  killScope: (value, name) => check.oneOf(value, name, ['process', 'group']),
  killSignal: check.signal,
  maxBuffer,
  overflow: (value, name) => check.oneOf(value, name, ['error', 'discard']),
  scripts: (value, name) => check.oneOf(value, name, SCRIPTS),
  seal: checkSeal,
  shell: noShell,
  signal: abortSignal,
  stdio: checkStdio,
  timeout: check.unsigned,
  waitDelay: check.unsigned,
  windowsHide: check.boolean,
  windowsVerbatimArguments: check.boolean,
  ...ATTRIBUTES,
}

/** Names that child_process has and this package does not, with what to do instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  serialization:
    'is of no use without an IPC channel, which is not to be had here; leave it out, or use child_process.fork()',
}

function cwd(value: unknown, name: string): Place {
  if (value instanceof URL) return check.pathString(value, name)
  return place(value, name, 'of type string or an instance of URL, Root or { root, path }')
}

/**
 * A copy with plain strings. As in child_process, values that `env` inherits from an object of the caller's count, and
 * what is no string becomes one; what somebody has put on Object.prototype does not count.
 */
function env(value: unknown, name: string): Record<string, string> {
  const given = check.object(value, name)
  const pairs: [string, string][] = []
  for (const key in given) {
    if (!Object.hasOwn(given, key) && key in Object.prototype) continue
    const item: unknown = Reflect.get(given, key)
    if (item === undefined) continue
    pairs.push([key, envValue(key, item, `${name}['${key.replaceAll('\0', '\\0')}']`)])
  }
  return Object.freeze(Object.fromEntries(pairs))
}

function envValue(key: string, value: unknown, name: string): string {
  if (typeof value === 'symbol') throw invalidType(name, 'of type string', value, false)
  const text = String(value)
  if (key.includes('\0') || text.includes('\0')) throw check.nulError(name, undefined, false)
  return text
}

/** A view is copied, so that the command can be used again whatever becomes of it. */
function input(value: unknown, name: string): string | Uint8Array {
  if (typeof value === 'string') return value
  if (!ArrayBuffer.isView(value)) {
    throw invalidType(name, 'of type string or an instance of Buffer, TypedArray or DataView', value, false)
  }
  return Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
}

function encoding(value: unknown, name: string): Encoding {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value)
  if (value === 'buffer' || Buffer.isEncoding(value)) return value
  throw invalidValue(name, "must be 'buffer' or an encoding that Buffer knows", value)
}

function maxBuffer(value: unknown, name: string): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (!(value >= 0)) throw outOfRange(name, 'a positive number', value)
  return Math.floor(value)
}

function noShell(value: unknown, name: string): false {
  if (value === false) return false
  if (value !== true && typeof value !== 'string') throw invalidType(name, 'false', value)
  throw invalidValue(name, "must be false: there is no shell here; start one by name, with args ['-c', command]")
}

/** As Node, by its shape: there are others than the platform's own. */
function abortSignal(value: unknown, name: string): AbortSignal {
  const methods = ['addEventListener', 'removeEventListener']
  const usable = typeof value === 'object' && value !== null && 'aborted' in value
  if (!usable || methods.some((method) => typeof Reflect.get(value, method) !== 'function')) {
    throw invalidType(name, 'an instance of AbortSignal', value)
  }
  return value as AbortSignal
}
