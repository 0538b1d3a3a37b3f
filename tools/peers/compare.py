#!/usr/bin/env python3
"""Times programs against each other: interleaved windows, a table side by side. Called by tools/bench_peers.sh.

    compare.py --workloads=W1,W2 --threads=1,2 'staticflow=bazel-bin/benchmarks/training' 'jax=python peer_jax.py'

Every program speaks the line protocol of benchmarks/training/windows.h. For each workload and number of threads all
programs start and warm up one after the other; then each gets a window in turn, the order turned round every time. So
what disturbs the machine for a while disturbs all of them. The first program is compared with the best of the others.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time


class Program:
    def __init__(self, name, command, threads):
        self.name, self.rates = name, []
        environment = dict(os.environ, **{k: str(threads) for k in
                                          ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
        processors = sorted(os.sched_getaffinity(0))[:threads]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=environment,
                                        preexec_fn=lambda: os.sched_setaffinity(0, processors))
        self.report = self.answer()  # None: it does not run

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        return None

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def window(self):
        answer = self.say("w")
        if answer is None:
            raise RuntimeError(self.name + " ended during a window")
        self.rates.append(answer["steps_per_s"])

    def finish(self):
        self.report.update(self.say("q") or {})
        self.process.wait()
        rates = sorted(self.rates)
        self.report.update(peer=self.name, steps_per_s=statistics.median(rates), min=rates[0], max=rates[-1])
        self.report.pop("ready", None)


def measure(commands, workload, threads, options):
    """one interleaved run of all programs: their reports in order"""
    programs = []
    for name, command in commands:
        arguments = shlex.split(command) + ["--workload", workload, "--threads", str(threads), "--seconds",
                                            str(options.seconds), "--serve"] + options.extra
        program = Program(name, arguments, threads)
        if program.report is None:
            print("# %s does not run %s with %d thread(s)" % (name, workload, threads), flush=True)
        else:
            programs.append(program)
    for i in range(options.rounds):
        for program in programs if i % 2 == 0 else programs[::-1]:
            time.sleep(0.1)
            program.window()
    for program in programs:
        program.finish()
    return [program.report for program in programs]


def is_latency(workload):
    return workload[:2] in ("W6", "W7")


def shown(report, rate):
    if is_latency(report["workload"]):
        return "%.4g" % (1e6 / rate)
    return "%.0f" % rate if rate > 200 else "%.1f" % rate


def print_table(workload, by_threads):
    unit = "us/call" if is_latency(workload) else "steps/s"
    head = ["program"]
    for threads in by_threads:
        head += ["%d thread%s, %s" % (threads, "s" if threads > 1 else "", unit), "min-max"]
    head += ["first step s", "data s", "peak MiB", "data MiB", "accuracy"]
    print("\n### %s\n\n| %s |\n|%s" % (workload, " | ".join(head), "---|" * len(head)))
    names = []
    for reports in by_threads.values():
        names += [r["peer"] for r in reports if r["peer"] not in names]
    for name in names:
        row, one = [name], None
        for reports in by_threads.values():
            found = [r for r in reports if r["peer"] == name]
            if not found:
                row += ["-", ""]
                continue
            r = found[0]
            one = one or r
            low, high = sorted([r["min"], r["max"]], reverse=is_latency(workload))
            row += [shown(r, r["steps_per_s"]), "%s-%s" % (shown(r, low), shown(r, high))]
        accuracy = [v for k, v in one.items() if k.startswith("acc_after")]
        row += [form % one[key] if key in one else "" for key, form in
                (("to_first_step_s", "%.3f"), ("data_s", "%.3f"), ("peak_rss_mb", "%.0f"), ("data_mb", "%.0f"))]
        print("| %s |" % " | ".join(row + [str(accuracy[0]) if accuracy else ""]))
    for threads, reports in by_threads.items():
        others = [r for r in reports[1:] if "steps_per_s" in r]
        if others and reports[0]["peer"] == names[0]:
            best = max(others, key=lambda r: r["steps_per_s"])
            print("%s%d thread(s): %s is %.2f x the best other, %s." %
                  ("\n" if threads == list(by_threads)[0] else "", threads, names[0], reports[0]["steps_per_s"] / best["steps_per_s"], best["peer"]))
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--workloads", default="W1,W2,W3,W4,W5,W6b1,W6b1000,W7chain,W7wide,W7one")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--seconds", type=float, default=2, help="length of a window")
    p.add_argument("--rounds", type=int, default=5, help="windows of each program")
    p.add_argument("--out", default="", help="a file to which each result is added as a line of JSON")
    p.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    own, extra = sys.argv[1:], []
    if "--" in own:  # what follows goes to the programs
        own, extra = own[:own.index("--")], own[own.index("--") + 1:]
    options = p.parse_args(own)
    options.extra = extra
    commands = [program.split("=", 1) for program in options.programs]
    for workload in options.workloads.split(","):
        by_threads = {}
        for threads in options.threads.split(","):
            reports = measure(commands, workload, int(threads), options)
            by_threads[int(threads)] = reports
            if options.out:
                with open(options.out, "a") as f:
                    f.writelines(json.dumps(r) + "\n" for r in reports)
        if any(by_threads.values()):
            title = next((r["workload"] for reports in by_threads.values() for r in reports), workload)
            print_table(title, by_threads)


main()
