import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** Programs of others that tests need, kept outside of the project so that they are fetched or built once. */

export function cacheFolder(name: string): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'waybill', name)
}

/**
 * The folder, after it was made if it was not there: `make` gets an empty one to work in, and answers which folder of it is
 * wanted. Safe for several processes at once: who comes second uses what is there and discards his own.
 */
export async function madeOnce(folder: string, make: (work: string) => Promise<string>): Promise<string> {
  if (await exists(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const work = await mkdtemp(`${folder}-`)
  try {
    await rename(await make(work), folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error
    })
  } finally {
    await rm(work, { force: true, recursive: true })
  }
  return folder
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
