/** ProcAttr and ForkExecAttr: every option of the low level by name, checked once, at the door. */
import { invalidType, invalidValue } from './argument-errors.ts'
import { ATTRIBUTES, checkAttributes } from './attributes.ts'
import { isRoot } from './held-root.ts'
import { SCRIPTS } from './option-table.ts'
import { checkPlace, type Place, place } from './place.ts'
import type { Root } from './root.ts'
import type { ForkExecAttr, ProcAttr } from './types.ts'
import type { Check } from './validate.ts'
import * as check from './validate.ts'

/** In the place of a directory: where the child begins. Linux's number, on every system. */
export const AT_FDCWD = -100
/** With an empty path: what `dirFd` itself holds. Linux's number, on every system. */
export const AT_EMPTY_PATH = 0x1000
/** A symlink in the last component is ELOOP. Linux's number, on every system. */
export const AT_SYMLINK_NOFOLLOW = 0x100

type Rows<T> = { readonly [K in keyof Required<T>]: Check<NonNullable<T[K]>> }
type Kept<T> = { -readonly [K in keyof T]: T[K] }

const PROC_ATTR: Rows<ProcAttr> = {
  dir,
  env: (value, name) => check.arrayOf(value, name, (pair, at) => check.cString(pair, at, false)),
  files: (value, name) => check.arrayOf(value, name, file),
  scripts: (value, name) => check.oneOf(value, name, SCRIPTS),
  ...ATTRIBUTES,
}

const FORK_EXEC_ATTR: Rows<ForkExecAttr> = {
  execFd: (value, name) => check.integer(value, name, 0, check.MAX_INT32),
  at: check.boolean,
  dirFd,
  atFlags,
  ...PROC_ATTR,
}

/** Attributes that child_process has as options, where null is the same as leaving them out. */
const NULLABLE: ReadonlySet<string> = new Set(['detached', 'gid', 'uid'])

export function readProcAttr(value: unknown): Kept<ProcAttr> {
  const kept = readEach<ProcAttr>(value, PROC_ATTR)
  checkChild(kept)
  return kept
}

export function readForkExecAttr(value: unknown): Kept<ForkExecAttr> {
  const kept = readEach<ForkExecAttr>(value, FORK_EXEC_ATTR)
  checkChild(kept)
  checkTarget(kept)
  return kept
}

/** 0 to 2, which the child has where nothing is said. */
export const STANDARD: readonly number[] = [0, 1, 2]

function checkChild(kept: ProcAttr): void {
  checkAttributes(kept, (kept.files ?? STANDARD).length, 'attr')
  checkPlace(kept.dir, kept, 'attr', 'dir')
}

/** `argv`, argv[0] included. Its words are not shown in messages: they may be secrets. */
export function readArgv(value: unknown): readonly string[] {
  const argv = check.arrayOf(value, 'argv', (word, name) => check.cString(word, name, false))
  if (argv.length === 0) throw invalidValue('argv', "must not be empty: argv[0] is the program's name for itself")
  return argv
}

function readEach<T extends object>(value: unknown, rows: Rows<T>): T {
  const kept = check.bare<Record<string, unknown>>({})
  if (value === undefined) return kept as T
  const names = Object.keys(rows) as (keyof T & string)[]
  for (const [key, given] of check.ownProperties(check.object(value, 'attr'), 'attr', names, NULLABLE)) {
    kept[key] = rows[key](given, `attr.${key}`)
  }
  return kept as T
}

/** There is one program, found in one way. */
function checkTarget({ execFd, at, dirFd, atFlags, scripts }: ForkExecAttr): void {
  if (at === false && dirFd !== undefined) throw invalidValue('attr.at', 'cannot be false beside attr.dirFd', at)
  const asked = { at: at || undefined, dirFd, atFlags }
  for (const [key, value] of Object.entries(asked)) {
    if (execFd === undefined || value === undefined) continue
    throw invalidValue(`attr.${key}`, 'says where a path leads, and attr.execFd that there is none: leave one out')
  }
  if (atFlags !== undefined && !at && dirFd === undefined) {
    throw invalidValue('attr.atFlags', 'needs attr.at or attr.dirFd', atFlags)
  }
  if (scripts === 'root' && !isRoot(dirFd)) {
    throw invalidValue('attr.scripts', 'needs a Root to find the interpreter in: give one as attr.dirFd', scripts)
  }
}

function dir(value: unknown, name: string): Place {
  return place(value, name, 'of type string or an instance of Root or { root, path }')
}

function file(value: unknown, name: string): number | null {
  return value === null ? null : check.integer(value, name, 0, check.MAX_INT32)
}

function dirFd(value: unknown, name: string): number | Root {
  if (isRoot(value) || value === AT_FDCWD) return value
  if (typeof value === 'number') return check.integer(value, name, 0, check.MAX_INT32)
  throw invalidType(name, 'of type number or an instance of Root', value)
}

function atFlags(value: unknown, name: string): number {
  const flags = check.integer(value, name, 0, check.MAX_INT32)
  const unknown = flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)
  if (unknown === 0) return flags
  const bits = `0x${unknown.toString(16)}`
  throw invalidValue(name, `may hold AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW, and not ${bits}`, flags)
}
