/** This process's environment, as a start takes it. */
import { isMainThread } from 'node:worker_threads'

const environmentAtLoad = process.env

/**
 * undefined: the Rust half reads the process's own. It cannot see a worker's copy, nor an object that somebody has put in
 * process.env's place.
 */
export function ownEnvironment(): readonly string[] | undefined {
  if (isMainThread && process.env === environmentAtLoad) return undefined
  return Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
}
