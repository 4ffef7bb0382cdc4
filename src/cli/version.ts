import manifest from '../../package.json' with { type: 'json' }

/** Of this program, as in its package manifest; also part of `node.started`. */
export const version: string = manifest.version
