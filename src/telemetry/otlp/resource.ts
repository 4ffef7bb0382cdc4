import { defaultResource, resourceFromAttributes, type Resource } from '@opentelemetry/resources'
import type { ResourceSettings } from '../../config/otel-resource.ts'

/** Who speaks, on everything that is sent to a collector: what is known of this process, and what the operator says of it. */

export interface ResourceFacts {
  readonly cluster: string
  readonly hostname: string
  readonly node: string
  readonly pid: number
  readonly version: string
}

/**
 * Names of the OpenTelemetry semantic conventions. The instance is `cluster/node`: unique at any moment, as the log holds
 * that two processes never go by one name, and the same after a restart, so that a restart doesn't begin new series.
 */
export function resourceOf({ cluster, hostname, node, pid, version }: ResourceFacts, said: ResourceSettings): Resource {
  const known = {
    'host.name': hostname,
    'process.pid': pid,
    'service.instance.id': `${cluster}/${node}`,
    'service.name': 'waybill',
    'service.version': version,
    'waybill.cluster': cluster,
    'waybill.node': node,
  }
  const named = said.serviceName === null ? {} : { 'service.name': said.serviceName }
  return defaultResource().merge(resourceFromAttributes({ ...known, ...said.attributes, ...named }))
}
