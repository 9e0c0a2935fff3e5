import type { SeededRandom } from "../../../src/base/random.ts";

/** How the network of one run behaves when nobody cuts it. Shares are probabilities in [0, 1]. */
export interface NetworkWeather {
  /** One-way delay: log-normal around this median. */
  readonly latencyMedianMs: number;
  readonly latencySigma: number;
  /** Frames that take up to `spikeMsMax` longer; everything behind them on the connection waits, as on TCP. */
  readonly spikeShare: number;
  readonly spikeMsMax: number;
  readonly bytesPerMs: number;
  /** Frames upon which the connection is reset: what is under way is lost but for a random part of its beginning. */
  readonly resetShare: number;
  /** Lost connections of which one end learns only after up to `silenceMsMax`. */
  readonly halfOpenShare: number;
  /** Lost connections whose last frames arrive late, possibly behind those of the next connection. */
  readonly lingerShare: number;
  /** Lost connections whose last delivered messages are delivered once more, later. */
  readonly duplicateShare: number;
  /** How long an end may take to notice by silence that its peer or the path is gone. */
  readonly silenceMsMax: number;
  readonly connectTimeoutMs: number;
  /** After a failed attempt to connect, how long nothing is tried and all is refused at once. */
  readonly backoffMs: number;
}

/** A fast network without faults of its own. */
export const CALM_NETWORK: NetworkWeather = {
  latencyMedianMs: 0.3,
  latencySigma: 0.3,
  spikeShare: 0,
  spikeMsMax: 0,
  bytesPerMs: 100_000,
  resetShare: 0,
  halfOpenShare: 0,
  lingerShare: 0,
  duplicateShare: 0,
  silenceMsMax: 5000,
  connectTimeoutMs: 1000,
  backoffMs: 100,
};

/** One draw of the one-way delay, in ms, for a frame of `sizeBytes`. */
export function drawLatencyMs(weather: NetworkWeather, sizeBytes: number, random: SeededRandom): number {
  const gauss = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const usualMs = weather.latencyMedianMs * Math.exp(weather.latencySigma * gauss);
  const spikeMs = random.next() < weather.spikeShare ? random.next() * weather.spikeMsMax : 0;
  return usualMs + spikeMs + sizeBytes / weather.bytesPerMs;
}
