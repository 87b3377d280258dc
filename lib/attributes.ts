/**
 * ProcessAttributes: how each is checked, what does not go together, and what the Rust half is given. The same for every
 * way of starting.
 */
import type { Attributes, Rlimit as NativeRlimit } from '#binding'
import { invalidType, invalidValue, outOfRange } from './argument-errors.ts'
import { CAPABILITIES } from './capabilities.ts'
import { directoryOf, isRoot } from './held-root.ts'
import type { Root } from './root.ts'
import type { IdMap, ProcessAttributes, Rlimit, RlimitName } from './types.ts'
import type { Check } from './validate.ts'
import * as check from './validate.ts'

type Checks = { readonly [K in keyof Required<ProcessAttributes>]: Check<NonNullable<ProcessAttributes[K]>> }

export const ATTRIBUTES: Checks = {
  ambientCaps: (value, name) => check.arrayOf(value, name, capability),
  cgroup: pathDescriptorOrRoot,
  chroot: pathOrRoot,
  closeFds: check.boolean,
  cpuAffinity: cpus,
  ctty: (value, name) => check.integer(value, name, 0, check.MAX_INT32),
  detached: check.boolean,
  foreground: check.boolean,
  gid: id,
  gidMappings: (value, name) => check.arrayOf(value, name, idMap),
  gidMappingsEnableSetgroups: check.boolean,
  groups: (value, name) => check.arrayOf(value, name, id),
  namespaces: (value, name) => check.arrayOf(value, name, namespace),
  nice: (value, name) => check.integer(value, name, -20, 19),
  noNewPrivs: check.boolean,
  pdeathsig: check.signal,
  pgid: (value, name) => check.integer(value, name, 0, check.MAX_INT32),
  rlimits,
  uid: id,
  uidMappings: (value, name) => check.arrayOf(value, name, idMap),
  umask: (value, name) => check.integer(value, name, 0, 0o777),
}

function id(value: unknown, name: string): number {
  return check.integer(value, name, 0, check.MAX_ID)
}

function idMap(value: unknown, name: string): IdMap {
  const given = check.ownProperties(check.object(value, name), name, ['containerId', 'hostId', 'size'])
  const number = (key: keyof IdMap, min = 0): number =>
    check.integer(given.get(key), `${name}.${key}`, min, check.MAX_ID)
  return Object.freeze({ containerId: number('containerId'), hostId: number('hostId'), size: number('size', 1) })
}

const NAMESPACES = ['user', 'pid', 'net', 'mount', 'ipc', 'uts', 'cgroup', 'time'] as const

function namespace(value: unknown, name: string): (typeof NAMESPACES)[number] {
  return check.oneOf(value, name, NAMESPACES)
}

/** As many as the kernel can be built for. */
const MOST_CPUS = 8192

function cpus(value: unknown, name: string): readonly number[] {
  const list = check.arrayOf(value, name, (item, at) => check.integer(item, at, 0, MOST_CPUS - 1))
  if (list.length === 0) throw invalidValue(name, 'must name a CPU at least', value)
  return list
}

const LIMITS = ['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile'].concat([
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]) as readonly RlimitName[]

interface Limit {
  readonly soft: Rlimit
  readonly hard: Rlimit
}

function rlimits(value: unknown, name: string): NonNullable<ProcessAttributes['rlimits']> {
  const kept = check.bare<Partial<Record<RlimitName, Rlimit | Limit>>>({})
  for (const [key, given] of check.ownProperties(check.object(value, name), name, LIMITS))
    kept[key] = limit(given, `${name}.${key}`)
  return Object.freeze(kept)
}

function limit(value: unknown, name: string): Rlimit | Limit {
  if (typeof value !== 'object' || value === null) return bound(value, name)
  const given = check.ownProperties(check.object(value, name), name, ['soft', 'hard'])
  const [soft, hard] = [bound(given.get('soft'), `${name}.soft`), bound(given.get('hard'), `${name}.hard`)]
  if (numberOf(soft) > numberOf(hard)) throw outOfRange(`${name}.soft`, `<= ${name}.hard, which is ${hard}`, soft)
  return Object.freeze({ soft, hard })
}

function bound(value: unknown, name: string): Rlimit {
  if (value === 'unlimited') return value
  if (typeof value === 'number') return check.integer(value, name, 0, Number.MAX_SAFE_INTEGER)
  if (typeof value === 'string') throw invalidValue(name, "must be a number or 'unlimited'", value)
  throw invalidType(name, "of type number or 'unlimited'", value)
}

const numberOf = (value: Rlimit): number => (value === 'unlimited' ? Number.POSITIVE_INFINITY : value)

/** By capabilities(7): 'CAP_NET_BIND_SERVICE' or 'net_bind_service'. */
function capability(value: unknown, name: string): string {
  const given = check.cString(value, name)
  if (CAPABILITIES.includes(plain(given))) return given
  const near = check.nearest(plain(given), CAPABILITIES)
  throw invalidValue(name, near ? `is no capability; did you mean '${near}'?` : 'is no capability', value)
}

const plain = (capability: string): string => capability.toLowerCase().replace(/^cap_/, '')

function pathOrRoot(value: unknown, name: string): string | Root {
  if (isRoot(value)) return value
  if (typeof value !== 'string') throw invalidType(name, 'of type string or an instance of Root', value)
  if (value === '') throw invalidValue(name, 'must not be empty', value)
  return check.cString(value, name)
}

function pathDescriptorOrRoot(value: unknown, name: string): string | number | Root {
  return typeof value === 'number' ? check.integer(value, name, 0, check.MAX_INT32) : pathOrRoot(value, name)
}

/**
 * Throws for what cannot be had together. `descriptors`: how many the child is given. `where`: 'options', or what the
 * attributes are part of.
 */
export function checkAttributes(given: ProcessAttributes, descriptors: number, where: string): void {
  const { ctty, detached, foreground, pgid, namespaces = [] } = given
  const refuse = (name: keyof ProcessAttributes, problem: string): never => {
    throw invalidValue(`${where}.${name}`, problem, given[name])
  }
  if (detached && pgid !== undefined)
    refuse('pgid', `cannot go with ${where}.detached: a session leads a group of its own`)
  if (foreground && detached)
    refuse('foreground', `cannot go with ${where}.detached: another session has another terminal`)
  if (ctty !== undefined) {
    if (foreground) refuse('foreground', `cannot go with ${where}.ctty: whoever gets a terminal is in its foreground`)
    if (!detached)
      refuse('ctty', `needs ${where}.detached: only the leader of a session can have a terminal of its own`)
    if (ctty >= descriptors) throw outOfRange(`${where}.ctty`, `< ${descriptors}, one of the child's descriptors`, ctty)
  }
  if (pgid && namespaces.includes('pid'))
    refuse('pgid', 'cannot go with a new pid namespace: there is no such group in it')
  if (!namespaces.includes('user')) {
    for (const name of ['uidMappings', 'gidMappings'] as const)
      if (given[name] !== undefined) refuse(name, `needs 'user' in ${where}.namespaces`)
  }
  if (given.gidMappingsEnableSetgroups && !given.gidMappings?.length)
    refuse('gidMappingsEnableSetgroups', `needs ${where}.gidMappings`)
}

/** Those among what was checked; none, where none is asked for: most starts need not carry them. */
export function attributesIn(kept: object): ProcessAttributes | undefined {
  const given = Object.entries(kept).filter(([name]) => Object.hasOwn(ATTRIBUTES, name))
  return given.length > 0 ? Object.freeze(check.bare(Object.fromEntries(given))) : undefined
}

/** What the Rust half is given: descriptors are duplicated by it before the call returns. */
export function attributesOf(given: ProcessAttributes): Attributes {
  const { ambientCaps = [], pdeathsig, groups, cpuAffinity } = given
  return check.bare<Attributes>({
    ...present({ uid: given.uid, gid: given.gid, umask: given.umask, pgid: given.pgid }),
    ...present({ ctty: given.ctty, nice: given.nice, chroot: placeOf(given.chroot), cgroup: placeOf(given.cgroup) }),
    ...present({ groups: groups && [...groups], cpuAffinity: cpuAffinity && [...cpuAffinity] }),
    ...present({ pdeathsig: pdeathsig === undefined ? undefined : check.signalNumber(pdeathsig) }),
    rlimits: rlimitsOf(given.rlimits),
    detached: given.detached ?? false,
    foreground: given.foreground ?? false,
    noNewPrivs: given.noNewPrivs ?? false,
    keepFds: given.closeFds === false,
    namespaces: [...(given.namespaces ?? [])],
    uidMappings: (given.uidMappings ?? []).map(check.bare),
    gidMappings: (given.gidMappings ?? []).map(check.bare),
    gidMappingsEnableSetgroups: given.gidMappingsEnableSetgroups ?? false,
    ambientCaps: ambientCaps.map((name) => CAPABILITIES.indexOf(plain(name))),
  })
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>
}

/** Throws ERR_ROOT_CLOSED. */
function placeOf(place: string | number | Root | undefined): string | number | undefined {
  if (!isRoot(place)) return place
  directoryOf(place)
  return place.fd
}

function rlimitsOf(given: ProcessAttributes['rlimits']): NativeRlimit[] {
  return Object.entries(given ?? {}).flatMap(([name, value]) => {
    if (value === undefined) return []
    const { soft, hard } = typeof value === 'object' ? value : { soft: value, hard: value }
    return [check.bare({ name, soft: numberOf(soft), hard: numberOf(hard) })]
  })
}
