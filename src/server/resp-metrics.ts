import { type MetricFamily, type MetricSource, singleMetric } from "../http/metric-family.ts";
import type { RespServer } from "../resp/resp-server.ts";

/** What the front door for Redis clients tells at `/metrics`. */
export function respMetrics(server: RespServer): MetricSource {
  return () => {
    const { counters } = server;
    return [
      family("gauge", "kv_resp_connections", "Open connections of Redis clients", server.connectionCount),
      family("gauge", "kv_resp_command_bytes_held", "Bytes held of unfinished commands", server.heldBytes),
      family("counter", "kv_resp_commands_total", "Commands taken from Redis clients", counters.commands),
      family("counter", "kv_resp_errors_total", "Commands answered with an error", counters.errors),
      family(
        "counter",
        "kv_resp_protocol_faults_total",
        "Connections closed for what came on them",
        counters.protocolFaults,
      ),
      family("counter", "kv_resp_connections_total", "Connections of Redis clients so far", counters.connections),
      family("counter", "kv_resp_connections_turned_away_total", "Connections beyond the maximum", counters.turnedAway),
    ];
  };
}

function family(kind: MetricFamily["kind"], name: string, help: string, value: number): MetricFamily {
  return singleMetric(kind, name, { help, value });
}
