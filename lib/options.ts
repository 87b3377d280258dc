/** Validates the options of a command once, at the door, and makes of them the flat record that a start works from. */
import { constants } from 'node:buffer'
import { invalidValue } from './argument-errors.ts'
import { attributesIn, checkAttributes } from './attributes.ts'
import { NULLABLE, OPTIONS, REFUSED } from './option-table.ts'
import { beginningOf, checkPlace } from './place.ts'
import type { Root } from './root.ts'
import type { Seal } from './seal.ts'
import type { CommandOptions, ProcessAttributes, Stdio } from './types.ts'
import * as check from './validate.ts'

const SIGKILL = 9
const DEFAULT_MAX_BUFFER = 64 * 1024 * 1024

/** All that the options say, defaults filled in. */
export interface Plan {
  /** A path relative to this process, or to `cwdRoot` where that is there. */
  readonly cwd: string | undefined
  readonly cwdRoot: Root | undefined
  /** 'KEY=value'; undefined: this process's own, at the start. */
  readonly env: readonly string[] | undefined
  readonly argv0: string | undefined
  readonly stdio: Stdio | undefined
  readonly input: Uint8Array | undefined
  /** undefined: bytes stay bytes. */
  readonly encoding: BufferEncoding | undefined
  /** Bytes per stream, or Infinity. */
  readonly maxBuffer: number
  readonly discard: boolean
  readonly check: boolean
  readonly attributes: ProcessAttributes | undefined
  readonly signal: AbortSignal | undefined
  /** Milliseconds; 0: none. */
  readonly timeout: number
  readonly killSignal: number
  readonly seal: Seal | undefined
  readonly scripts: 'deny' | 'kernel' | 'root'
  /** Milliseconds from killSignal to SIGKILL; undefined: never. */
  readonly forceKillAfter: number | undefined
  /** Milliseconds from the program's end until pipes that others hold open are closed; undefined: never. */
  readonly waitDelay: number | undefined
  /** Signals are for the child's own group. */
  readonly group: boolean
}

type Kept = { -readonly [K in keyof CommandOptions]: CommandOptions[K] }

const NAMES = [...Object.keys(OPTIONS), ...Object.keys(REFUSED)]

/** `options`: what Command.options shows, a deeply frozen copy. `plan`: what its starts use. */
export function readOptions(value: unknown): { options: Readonly<CommandOptions>; plan: Plan } {
  const kept = value === undefined ? check.bare<Kept>({}) : checkEach(check.object(value, 'options'))
  checkTogether(kept)
  return { plan: planOf(kept), options: publish({ ...kept }) }
}

function checkEach(options: object): Kept {
  const kept = check.bare<Record<string, unknown>>({})
  for (const [key, value] of check.ownProperties(options, 'options', NAMES, NULLABLE)) {
    const refusal = Object.hasOwn(REFUSED, key) ? REFUSED[key] : undefined
    if (refusal !== undefined) throw invalidValue(`options.${key}`, refusal, value)
    kept[key] = OPTIONS[key as keyof CommandOptions](value, `options.${key}`)
  }
  return kept
}

function checkTogether(kept: Kept): void {
  checkAttributes(kept, Array.isArray(kept.stdio) ? Math.max(kept.stdio.length, 3) : 3, 'options')
  checkInput(kept)
  checkPlace(kept.cwd, kept, 'options', 'cwd')
  checkKilling(kept)
}

function checkInput({ input, stdio }: Kept): void {
  if (input === undefined || stdio === undefined) return
  const stdin = typeof stdio === 'string' ? stdio : (stdio[0] ?? 'pipe')
  const isPipe = stdin === 'pipe' || stdin === 'overlapped' || (typeof stdin === 'number' && stdin < 0)
  if (!isPipe) throw invalidValue('options.input', "needs a pipe: leave options.stdio[0] out, or make it 'pipe'")
}

/** The first process of a pid namespace hears only signals that it has handlers for, and SIGKILL. */
function checkKilling({ namespaces, killSignal, forceKillAfter, killScope, pgid }: Kept): void {
  if (killScope === 'group' && pgid)
    throw invalidValue('options.pgid', "cannot go with killScope: 'group', which is a new group", pgid)
  if (!namespaces?.includes('pid') || killSignal === undefined || forceKillAfter !== undefined) return
  if (check.signalNumber(killSignal) !== SIGKILL)
    throw invalidValue('options.killSignal', 'needs options.forceKillAfter with a new pid namespace', killSignal)
}

function planOf(kept: Kept): Plan {
  return Object.freeze({
    ...beginningOf(kept.cwd, kept),
    env: envPairs(kept),
    argv0: kept.argv0,
    stdio: kept.stdio,
    input: bytesOf(kept.input),
    encoding: kept.encoding === 'buffer' ? undefined : kept.encoding,
    // No Buffer holds more than that: what does not fit has to be an overflow.
    maxBuffer: Math.min(kept.maxBuffer ?? DEFAULT_MAX_BUFFER, constants.MAX_LENGTH),
    discard: kept.overflow === 'discard',
    check: kept.check ?? false,
    attributes: attributesIn(kept),
    signal: kept.signal,
    timeout: kept.timeout ?? 0,
    killSignal: check.signalNumber(kept.killSignal ?? (kept.namespaces?.includes('pid') ? 'SIGKILL' : 'SIGTERM')),
    seal: kept.seal,
    scripts: kept.scripts ?? 'deny',
    forceKillAfter: kept.forceKillAfter,
    waitDelay: kept.waitDelay,
    group: kept.killScope === 'group',
  })
}

function envPairs({ env, clearEnv }: Kept): readonly string[] | undefined {
  if (env) return Object.entries(env).map(([key, value]) => `${key}=${value}`)
  return clearEnv ? [] : undefined
}

function bytesOf(input: Kept['input']): Uint8Array | undefined {
  if (input === undefined) return undefined
  return typeof input === 'string' ? Buffer.from(input) : (input as Uint8Array)
}

/** Bytes cannot be frozen: whoever looks at `input` is shown a copy. */
function publish(kept: Kept): Readonly<CommandOptions> {
  const { input } = kept
  if (input instanceof Uint8Array) {
    Object.defineProperty(kept, 'input', { get: () => Uint8Array.from(input), enumerable: true })
  }
  return Object.freeze(kept)
}
