import type { SeededRandom } from "../../../src/base/random.ts";
import { KvError } from "../../../src/model/errors.ts";
import type { PromotionReport, PromotionRequest } from "../../../src/model/status.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { ShardLedger } from "./shard-ledger.ts";
import type { SimMachine } from "./sim-machine.ts";

const PROMOTION_MS_MAX = 12_000;

/**
 * Promotes members while faults strike, as an operator would: with the present leader's help; or with the leader stopped for
 * good first (rule T6); or in its own place, to go on without a dead replica. Where a run allows split leaders, also past a
 * leader that still runs.
 */
export class Operator {
  readonly #world: ClusterWorld;
  readonly #random: SeededRandom;

  constructor(world: ClusterWorld) {
    this.#world = world;
    this.#random = world.simulation.randomFor("operator");
  }

  /** One promotion, somewhere. */
  strike(): void {
    const { simulation, emphasis } = this.#world;
    const ledgers = [...this.#world.ledgers.values()].filter(
      (ledger) => ledger.shard.members.length > 1 && ledger.quietUntilMs < simulation.nowMs && ledger.highestEpoch > 0,
    );
    const ledger = ledgers[this.#random.below(ledgers.length)];
    if (ledger === undefined) return;
    const machines = this.#world.machinesOf(ledger);
    const leader = machines.find((machine) => machine.isLeading);
    const targets = machines.filter((machine) => machine !== leader && machine.running !== null && !machine.isPaused);
    const target = targets[this.#random.below(targets.length)];
    if (target === undefined) {
      if (leader !== undefined) this.#renew(ledger, leader);
      return;
    }
    const dice = this.#random.next();
    const rival = targets.find((machine) => machine !== target);
    const duels = this.#world.swarm.magnitude("duels", 0.05, 0.2);
    if (emphasis.allowsSplit === true && rival !== undefined && dice < duels) this.#duel(target, rival);
    else if (emphasis.allowsSplit === true && dice < 0.6) this.#promotePast(ledger, target, leader);
    else if (leader !== undefined && dice < 0.15) this.#renew(ledger, leader);
    else if (leader !== undefined && !leader.isPaused && dice < 0.5) this.#handOver(ledger, target);
    // A member that has missed a promotion does not know whose acknowledgements it lacks: not without those who do know.
    else if (target.state?.leadership?.epoch === ledger.highestEpoch) this.#replace(ledger, target);
  }

  /** The present leader is promoted in its own place: whoever does not answer is left out of the set. */
  #renew(ledger: ShardLedger, leader: SimMachine): void {
    if (leader.isPaused) return;
    this.#world.keepQuiet(ledger, PROMOTION_MS_MAX);
    this.promote(leader, this.#request(leader), () => this.#release(ledger));
  }

  /** The leader is well: it steps down and the target fetches the end of its log. */
  #handOver(ledger: ShardLedger, target: SimMachine): void {
    this.#world.keepQuiet(ledger, PROMOTION_MS_MAX);
    this.promote(target, { ...this.#request(target), dryRun: this.#random.next() < 0.2 }, () => this.#release(ledger));
  }

  /** Whoever leads, or may come back believing so, is stopped first and stays so until the promotion is over. */
  #replace(ledger: ShardLedger, target: SimMachine): void {
    const { simulation, network } = this.#world;
    this.#world.keepQuiet(ledger, PROMOTION_MS_MAX);
    const others = this.#world.machinesOf(ledger).filter((machine) => machine !== target);
    const stopped = others.filter((machine) => machine.isLeading || machine.isPaused || machine.running === null);
    for (const machine of stopped) {
      machine.heldUntilMs = Number.MAX_SAFE_INTEGER;
      if (this.#random.next() < 0.3) machine.powerCut();
      else machine.kill();
    }
    simulation.note("operator", `replaces ${stopped.map((machine) => machine.node).join(", ")} by ${target.node}`);
    simulation.schedule(this.#random.next() * 1500, "operator promotes", () => {
      if (target.running === null || this.#world.isHealing) return this.#restart(ledger, stopped);
      // Some of the others may not be heard of either: what they have is lost then, if acknowledgements did not need it.
      for (const other of others) {
        if (other.running === null || this.#random.next() < 0.7) continue;
        network.block(other.node, target.node);
        simulation.schedule(4000, "operator heals", () => network.unblock(other.node, target.node));
      }
      this.promote(target, this.#request(target), () => this.#restart(ledger, stopped));
    });
  }

  /** What rule T6 warns of. */
  #promotePast(ledger: ShardLedger, target: SimMachine, leader: SimMachine | undefined): void {
    const { simulation, network } = this.#world;
    if (leader !== undefined) {
      network.block(leader.node, target.node);
      network.block(target.node, leader.node);
      simulation.schedule(500 + this.#random.next() * 8000, "operator heals", () => {
        network.unblock(leader.node, target.node);
        network.unblock(target.node, leader.node);
      });
    }
    this.promote(target, { ...this.#request(target), acceptDataLoss: this.#random.next() < 0.5 }, () => {});
    const rivals = this.#world.othersOf(target).filter((machine) => machine !== leader && machine.running !== null);
    const rival = rivals[this.#random.below(rivals.length)];
    if (rival !== undefined && this.#random.next() < 0.3) this.promote(rival, this.#request(rival), () => {});
  }

  /** Two operators who do not know of each other, and members that cannot hear each other: equal epochs (rule T2). */
  #duel(first: SimMachine, second: SimMachine): void {
    const { simulation, network } = this.#world;
    const others = this.#world.othersOf(first);
    for (const other of others) {
      for (const one of [first, second]) if (one !== other) network.isolate(one.node, [other.node]);
    }
    simulation.schedule(2500 + this.#random.next() * 3000, "operator heals", () => {
      for (const a of [first, ...others]) for (const b of [first, ...others]) network.unblock(a.node, b.node);
    });
    for (const one of [first, second]) this.promote(one, { ...this.#request(one), acceptDataLoss: true }, () => {});
  }

  /** Sends the command to a node, as `kv promote` does; `done` comes once, with null when there was no answer. */
  promote(target: SimMachine, request: PromotionRequest, done: (report: PromotionReport | null) => void): void {
    const { simulation } = this.#world;
    const entrances = this.#world.machines.filter((machine) => machine.running !== null && !machine.isPaused);
    const entrance = this.#random.next() < 0.5 ? entrances[this.#random.below(entrances.length)] : target;
    const running = entrance?.running;
    if (running === null || running === undefined) return done(null);
    if (!request.dryRun && request.acceptDataLoss) this.#world.ledgerOf(target).lossRequests.add(target.node);
    const how = `${request.dryRun ? "asks about" : "promotes"} ${target.node}${request.acceptDataLoss ? " accepting loss" : ""}`;
    simulation.note("operator", how);
    let isOver = false;
    const finish = (report: PromotionReport | null, said: string): void => {
      if (isOver) return;
      isOver = true;
      simulation.note("operator", said);
      if (report !== null) this.#mark(report, request);
      done(report);
    };
    simulation.schedule(PROMOTION_MS_MAX, "operator's patience", () => finish(null, "hears nothing"));
    running.process.deliver({
      phase: "network",
      delayMs: 0.1,
      run: () =>
        running.core.promote(request, (report) => {
          if (report instanceof KvError) finish(null, `hears ${report.code}: ${report.message}`);
          else {
            finish(report, `hears done=${String(report.done)} ${report.refusal ?? ""} ${report.findings.join("; ")}`);
          }
        }),
    });
  }

  #mark(report: PromotionReport, request: PromotionRequest): void {
    const { markers } = this.#world.simulation;
    markers.sometimes("promotion refused", report.refusal !== null);
    markers.sometimes("dry run of a promotion", request.dryRun);
    markers.sometimes("promotion with entries missing", report.done && report.missingEntries > 0);
  }

  #request(target: SimMachine): PromotionRequest {
    const mayAccept = this.#world.swarm.has("accepted loss");
    const acceptDataLoss = mayAccept && this.#random.next() < 0.3;
    return { shard: target.shard.name, node: target.node, dryRun: false, acceptDataLoss, isHandover: false };
  }

  #restart(ledger: ShardLedger, machines: readonly SimMachine[]): void {
    this.#release(ledger);
    for (const machine of machines) {
      machine.heldUntilMs = 0;
      this.#world.startIn(machine, this.#random.next() * 3000);
    }
  }

  #release(ledger: ShardLedger): void {
    ledger.quietUntilMs = Math.min(ledger.quietUntilMs, this.#world.simulation.nowMs + 500);
  }
}
