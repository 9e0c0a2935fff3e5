import { type MetricFamily, type MetricSource, singleMetric } from "../http/metric-family.ts";
import type { NodeCounters } from "../node/node-counters.ts";
import type { PeerCounters } from "../wire/peer-counters.ts";

/** What the network between nodes shows of itself. */
export interface NetworkGauges {
  readonly counters: PeerCounters;
  readonly connectionCount: number;
  readonly requestsInFlight: number;
  readonly outgoingBytes: number;
}

/** What routing and the network between nodes tell at `/metrics`. */
export function nodeMetrics(counters: NodeCounters, network: NetworkGauges): MetricSource {
  return () => [...routingFamilies(counters), ...networkFamilies(network)];
}

function routingFamilies(counters: NodeCounters): MetricFamily[] {
  return [
    counter("kv_forwarded_operations_total", "Operations sent to another node", counters.forwarded),
    counter("kv_retried_operations_total", "Attempts made again after a definite refusal", counters.retried),
    counter("kv_unknown_outcomes_total", "Forwarded writes whose fate nobody can tell", counters.unknownOutcomes),
    counter("kv_served_operations_total", "Operations served for other nodes", counters.served),
    counter(
      "kv_overloaded_operations_total",
      "Operations of other nodes refused for their number",
      counters.overloaded,
    ),
    counter("kv_ignored_messages_total", "Messages about shards that are not this node's", counters.messagesIgnored),
    counter("kv_leader_polls_total", "Times that a shard's members were asked for their leader", counters.leaderPolls),
  ];
}

function networkFamilies(network: NetworkGauges): MetricFamily[] {
  const { counters } = network;
  return [
    gauge("kv_peer_connections", "Connections with other nodes", network.connectionCount),
    gauge("kv_peer_requests_in_flight", "Requests to other nodes that wait for an answer", network.requestsInFlight),
    gauge("kv_peer_outgoing_bytes", "What waits to be sent to other nodes", network.outgoingBytes),
    counter("kv_peer_received_bytes_total", "Bytes received from other nodes", counters.bytesIn),
    counter("kv_peer_sent_bytes_total", "Bytes sent to other nodes", counters.bytesOut),
    counter("kv_peer_protocol_errors_total", "Connections closed for what came on them", counters.protocolErrors),
    counter("kv_peer_handshakes_refused_total", "Handshakes that were refused", counters.handshakesRefused),
    counter("kv_peer_reconnects_total", "Connections made again", counters.reconnects),
    counter("kv_peer_dial_failures_total", "Connections that could not be made", counters.dialFailures),
    counter("kv_peer_silences_total", "Connections given up for silence", counters.silences),
    counter(
      "kv_peer_request_timeouts_total",
      "Requests to other nodes that ran out of time",
      counters.requestsTimedOut,
    ),
    counter("kv_peer_overloads_total", "Messages and requests refused by a full queue", counters.overloads),
  ];
}

function counter(name: string, help: string, value: number): MetricFamily {
  return singleMetric("counter", name, { help, value });
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return singleMetric("gauge", name, { help, value });
}
