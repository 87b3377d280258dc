// What tests of refusals share.

import type { ExecutionContext } from 'ava'
import * as api from 'command-root'

/** The API as JavaScript sees it, for arguments that do not compile. */
export const untyped = api as unknown as {
  openRoot: (...args: unknown[]) => api.Root
  commandRoot: (...args: unknown[]) => api.Command
  commandFd: (...args: unknown[]) => api.Command
  Root: { fromFd: (...args: unknown[]) => api.Root }
}

export type Coded = Error & Record<string, unknown> & { code: string }

/** Fails unless `act` throws an Error with this code whose message holds these words. */
export function refuses(
  t: ExecutionContext,
  act: () => unknown,
  code: string,
  words: readonly string[] = [],
  about = '',
): Coded {
  let error: unknown
  try {
    act()
  } catch (caught) {
    error = caught
  }
  return isRefusal(t, error, code, words, about)
}

/** The same of a promise. */
export async function rejects(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: string,
  words: readonly string[] = [],
  about = '',
): Promise<Coded> {
  return isRefusal(
    t,
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
    code,
    words,
    about,
  )
}

function isRefusal(t: ExecutionContext, error: unknown, code: string, words: readonly string[], about: string): Coded {
  if (!(error instanceof Error)) throw new Error(`nothing was refused: ${about} (${code})`)
  const coded = error as Coded
  t.is(coded.code, code, `${about}: ${coded.message}`)
  for (const word of words)
    t.true(coded.message.includes(word), `${about}: ${JSON.stringify(coded.message)} lacks ${word}`)
  return coded
}
