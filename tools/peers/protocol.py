"""What the programs that train the benchmarks' networks in other frameworks share: workloads, data, weights, timing.

    from protocol import *                # first: it gives the process its processors, before a framework counts them
    run = Run("jax")
    ...
    run.serve(step, accuracy)             # or run.serve(call), for W6 and W7

The workloads are those of benchmarks/training/networks.h and workload.h; flags and lines are those of
benchmarks/training.cc.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

START = time.perf_counter()

EPSILON, DECAY = 1e-3, 0.99  # of batch normalization

NETWORKS = {
    "W1": {"batch_norm": False},
    "W2": {},
    "W3": {"activation": "sigmoid"},
    "W4": {"widths": [76, 100, 10], "convolutions": 19, "optimizer": "adam", "learning_rate": 0.002, "batch": 64,
           "accuracy_steps": 100},
    "W5": {"activation": "tanh", "optimizer": "adam", "learning_rate": 0.001, "orthogonal": True},
}


class Network:
    """What is trained; weights are listed layer by layer."""

    def __init__(self, name=None, **values):
        self.widths, self.convolutions = [784, 100, 100, 100, 10], 0
        self.batch_norm, self.activation = True, "relu"
        self.optimizer, self.learning_rate, self.batch = "sgd", 0.01, 60
        self.orthogonal, self.accuracy_steps = False, 1000
        self.__dict__.update(NETWORKS[name] if name else values)

    @staticmethod
    def stride(convolution):
        """of the convolution with that number, from 1 on"""
        return 2 if convolution % 3 == 0 else 1

    def weights(self):
        """float32 arrays: [3, 3, in, out] for convolutions, then [in, out]"""
        import numpy as np
        random = np.random.RandomState(0)
        channels = [1] + [4 * i for i in range(1, self.convolutions + 1)]
        shapes = [(3, 3, a, b) for a, b in zip(channels, channels[1:])] + list(zip(self.widths, self.widths[1:]))
        out = []
        for shape in shapes:
            if not self.orthogonal:
                out.append((random.randn(*shape) * 0.05).astype(np.float32))
                continue
            q, r = np.linalg.qr(random.randn(max(shape), min(shape)))
            q = q * np.sign(np.diag(r))
            out.append((q if shape[0] >= shape[1] else q.T).astype(np.float32))
        return out


def flags():
    def boolean(text):
        return text.lower() in ("true", "1", "yes")
    p = argparse.ArgumentParser()
    p.add_argument("--workload", default="W2")
    p.add_argument("--widths", default="")
    p.add_argument("--batch", type=int, default=60)
    p.add_argument("--activation", default="relu", choices=["relu", "sigmoid", "tanh"])
    p.add_argument("--batch_norm", type=boolean, default=True)
    p.add_argument("--optimizer", default="sgd", choices=["sgd", "momentum", "adam"])
    p.add_argument("--learning_rate", type=float, default=0.01)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=2.0)
    p.add_argument("--windows", type=int, default=5)
    p.add_argument("--serve", action="store_true")
    p.add_argument("--data", default=os.environ.get("PEER_RAW", ""))
    return p.parse_args()


FLAGS = flags()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:FLAGS.threads])
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = str(FLAGS.threads)


class Run:
    """One process: its workload, its data, and the protocol."""

    def __init__(self, framework, variant):
        self.imported = time.perf_counter()
        self.threads, self.name = FLAGS.threads, FLAGS.workload
        self.base = {"framework": framework, "variant": variant, "threads": FLAGS.threads}
        if FLAGS.widths:
            self.name = FLAGS.widths
            self.network = Network(widths=[int(w) for w in FLAGS.widths.split(",")], batch=FLAGS.batch,
                                   activation=FLAGS.activation, batch_norm=FLAGS.batch_norm,
                                   optimizer=FLAGS.optimizer, learning_rate=FLAGS.learning_rate)
        else:
            self.network = Network(self.name if self.name in NETWORKS else "W2")
        self.base["workload"] = self.name
        self.inference = self.name.startswith("W6")
        self.scalars = self.name.startswith("W7")
        self.additions = 1 if self.name == "W7one" else 1000
        self.wide = self.name == "W7wide"
        if self.inference:
            self.network.batch = int(self.name[3:])
        if not self.scalars:
            self._load()

    def _load(self):
        import numpy as np
        begin = time.perf_counter()
        read = lambda name, kind: np.fromfile(os.path.join(FLAGS.data, name), kind)
        self.x, self.y = read("x.f32", np.float32).reshape(-1, 784), read("y.i64", np.int64)
        self.test_x, self.test_y = read("tx.f32", np.float32).reshape(-1, 784), read("ty.i64", np.int64)
        one_hot = np.eye(10, dtype=np.float32)
        self.labels, self.test_labels = one_hot[self.y], one_hot[self.test_y]
        self._next, self._end = 0, len(self.x) // self.network.batch * self.network.batch
        arrays = (self.x, self.labels, self.test_x, self.test_labels)
        self.base["data_s"] = round(time.perf_counter() - begin, 3)
        self.base["data_mb"] = round(sum(a.nbytes for a in arrays) / 2**20, 1)

    def batch(self):
        """the next batch as a slice"""
        begin = self._next
        end = begin + self.network.batch
        self._next = 0 if end >= self._end else end
        return slice(begin, end)

    def serve(self, step, accuracy=None, wait=lambda: None):
        """`wait` returns when all steps so far are done, for frameworks whose step returns before that"""
        clock = time.perf_counter
        step()
        wait()
        self.base["import_s"] = round(self.imported - START, 3)
        self.base["to_first_step_s"] = round(clock() - START, 3)
        if accuracy:
            for _ in range(self.network.accuracy_steps - 1):
                step()
            wait()
            self.base["acc_after_%d" % self.network.accuracy_steps] = round(float(accuracy()), 4)

        def throughput(seconds):
            begin = clock()
            step()
            wait()
            chunk = max(1, min(50, int(0.05 / max(clock() - begin, 1e-7))))
            steps, begin = 0, clock()
            while clock() - begin < seconds:
                for _ in range(chunk):
                    step()
                steps += chunk
            wait()
            return {"steps_per_s": round(steps / (clock() - begin), 2)}

        def latency(seconds):
            times, start = [], clock()
            while clock() - start < seconds or len(times) < 5:
                begin = clock()
                step()
                wait()
                times.append(clock() - begin)
            times.sort()
            median = times[len(times) // 2]
            return {"us": round(1e6 * median, 3), "steps_per_s": round(1 / median, 2)}

        throughput(1.0)
        window = latency if self.inference or self.scalars else throughput
        windows = []
        if FLAGS.serve:
            print(json.dumps(dict(self.base, ready=True)), flush=True)
            for line in sys.stdin:
                if line.strip() != "w":
                    break
                windows.append(window(FLAGS.seconds))
                print(json.dumps(windows[-1]), flush=True)
        else:
            windows = [window(FLAGS.seconds) for _ in range(FLAGS.windows)]
        last = dict(self.base)
        if windows:
            rates = sorted(w["steps_per_s"] for w in windows)
            last.update(steps_per_s=statistics.median(rates), min=rates[0], max=rates[-1], windows=len(rates))
        last["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        print(json.dumps(last), flush=True)
        os._exit(0)  # frameworks' threads need not be waited for
