// PyTorch's C++ library, eager: the workloads, flags and lines of benchmarks/training.cc (read protocol.py beside it).
// Not part of the build: tools/bench_peers.sh compiles it against the library in PyTorch's wheel.
#include <sched.h>
#include <sys/resource.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace nn = torch::nn;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// --name value, --name=value or --name.
std::map<std::string, std::string> ParseFlags(int argc, char** argv) {
  std::map<std::string, std::string> flags = {{"workload", "W2"},
                                              {"widths", ""},
                                              {"batch", "60"},
                                              {"activation", "relu"},
                                              {"batch_norm", "true"},
                                              {"optimizer", "sgd"},
                                              {"learning_rate", "0.01"},
                                              {"threads", "1"},
                                              {"seconds", "2"},
                                              {"windows", "5"},
                                              {"serve", ""},
                                              {"data", std::getenv("PEER_RAW") ? std::getenv("PEER_RAW") : ""}};
  for (int i = 1; i < argc; ++i) {
    const std::string text = std::string(argv[i]).substr(2);
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (flags.count(name) == 0) throw std::runtime_error("there is no flag " + name);
    flags[name] = equals != std::string::npos ? text.substr(equals + 1) : name == "serve" ? "true" : argv[++i];
  }
  return flags;
}

template <typename T>
std::vector<T> ReadArray(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<T> values(file.tellg() / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
  return values;
}

struct Spec {
  std::vector<int64_t> widths = {784, 100, 100, 100, 10};
  int convolutions = 0;
  bool batch_norm = true;
  std::string activation = "relu", optimizer = "sgd", weights = "W1.f32";
  double learning_rate = 0.01;
  int64_t batch = 60;
  int accuracy_steps = 1000;
};

Spec SpecOf(std::map<std::string, std::string>& flags) {
  Spec spec;
  const std::string& name = flags["workload"];
  if (!flags["widths"].empty()) {
    spec.widths.clear();
    std::stringstream list(flags["widths"]);
    for (std::string width; std::getline(list, width, ',');) spec.widths.push_back(std::stoll(width));
    spec.batch = std::stoll(flags["batch"]);
    spec.batch_norm = flags["batch_norm"] == "true";
    spec.activation = flags["activation"];
    spec.optimizer = flags["optimizer"];
    spec.learning_rate = std::stod(flags["learning_rate"]);
    spec.weights = flags["widths"] + ".f32";
  } else if (name == "W1") {
    spec.batch_norm = false;
  } else if (name == "W3") {
    spec.activation = "sigmoid";
  } else if (name == "W4") {
    spec = {.widths = {76, 100, 10},
            .convolutions = 19,
            .optimizer = "adam",
            .weights = "W4.f32",
            .learning_rate = 0.002,
            .batch = 64,
            .accuracy_steps = 100};
  } else if (name == "W5") {
    spec = {.activation = "tanh", .optimizer = "adam", .weights = "W5.f32", .learning_rate = 0.001};
  } else if (name.substr(0, 2) == "W6") {
    spec.batch = std::stoll(name.substr(3));
  }
  return spec;
}

nn::Sequential Build(const Spec& spec, std::vector<float>& weights) {
  torch::NoGradGuard no_grad;
  nn::Sequential model;
  float* next = weights.data();
  const auto activate = [&] {
    if (spec.activation == "sigmoid") return model->push_back(nn::Sigmoid());
    if (spec.activation == "tanh") return model->push_back(nn::Tanh());
    model->push_back(nn::ReLU());
  };
  int64_t channels = 1;
  if (spec.convolutions > 0) {
    model->push_back(nn::Unflatten(nn::UnflattenOptions(1, std::vector<int64_t>{1, 28, 28})));
  }
  for (int i = 1; i <= spec.convolutions; ++i) {
    nn::Conv2d layer(nn::Conv2dOptions(channels, 4 * i, 3).stride(i % 3 == 0 ? 2 : 1).padding(1).bias(false));
    layer->weight.copy_(torch::from_blob(next, {3, 3, channels, 4 * i}).permute({3, 2, 0, 1}));
    next += 9 * channels * 4 * i;
    channels = 4 * i;
    model->push_back(layer);
    model->push_back(nn::BatchNorm2d(nn::BatchNorm2dOptions(channels).eps(1e-3).momentum(0.01)));
    activate();
  }
  if (spec.convolutions > 0) model->push_back(nn::Flatten());
  for (size_t i = 0; i + 1 < spec.widths.size(); ++i) {
    const int64_t from = spec.widths[i], to = spec.widths[i + 1];
    const bool last = i + 2 == spec.widths.size();
    nn::Linear layer(nn::LinearOptions(from, to).bias(last || !spec.batch_norm));
    layer->weight.copy_(torch::from_blob(next, {from, to}).t());
    next += from * to;
    if (layer->bias.defined()) layer->bias.zero_();
    model->push_back(layer);
    if (last) break;
    if (spec.batch_norm) model->push_back(nn::BatchNorm1d(nn::BatchNorm1dOptions(to).eps(1e-3).momentum(0.01)));
    activate();
  }
  return model;
}

std::unique_ptr<torch::optim::Optimizer> MakeOptimizer(const Spec& spec, nn::Sequential& model) {
  using namespace torch::optim;  // NOLINT
  if (spec.optimizer == "adam") {
    return std::make_unique<Adam>(model->parameters(), AdamOptions(spec.learning_rate));
  }
  SGDOptions options(spec.learning_rate);
  if (spec.optimizer == "momentum") options.momentum(0.9);
  return std::make_unique<SGD>(model->parameters(), options);
}

struct Workload {
  std::function<void()> call;
  std::function<double()> accuracy;  // null when nothing is trained
  int accuracy_steps = 0;
  double data_seconds = 0, data_mebibytes = 0;
};

volatile float sink;

Workload Scalars(const std::string& name) {
  const torch::Tensor one = torch::ones({});
  const int additions = name == "W7one" ? 1 : 1000;
  if (name != "W7wide") {
    return {[=] {
      torch::NoGradGuard no_grad;
      torch::Tensor x = one;
      for (int i = 0; i < additions; ++i) x = x + one;
      sink = x.item<float>();
    }};
  }
  std::vector<torch::Tensor> constants;
  for (int i = 0; i < additions; ++i) constants.push_back(torch::tensor(static_cast<float>(i)));
  return {[=] {
    torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> terms;
    terms.reserve(constants.size());
    for (const torch::Tensor& c : constants) terms.push_back(one + c);
    sink = torch::stack(terms).sum().item<float>();
  }};
}

// The data and the model live as long as the process.
Workload OnNetwork(const std::string& name, const Spec& spec, const std::string& data) {
  const Clock::time_point start = Clock::now();
  static std::vector<float> x = ReadArray<float>(data + "/x.f32"), tx = ReadArray<float>(data + "/tx.f32");
  static std::vector<int64_t> y = ReadArray<int64_t>(data + "/y.i64"), ty = ReadArray<int64_t>(data + "/ty.i64");
  const double data_seconds = SecondsSince(start);
  const double data_mebibytes =
      static_cast<double>(4 * (x.size() + tx.size()) + 8 * (y.size() + ty.size())) / (1 << 20);
  static std::vector<float> weights = ReadArray<float>(data + "/" + spec.weights);
  static nn::Sequential model = Build(spec, weights);
  static int64_t next = 0;
  const int64_t n = spec.batch, end = static_cast<int64_t>(y.size()) / n * n;
  const auto batch = [=] {
    const int64_t begin = next;
    next = begin + n >= end ? 0 : begin + n;
    return begin;
  };
  if (name.substr(0, 2) == "W6") {
    model->eval();
    return {[=] {
              torch::NoGradGuard no_grad;
              sink = *model->forward(torch::from_blob(&x[batch() * 784], {n, 784})).data_ptr<float>();
            },
            nullptr, 0, data_seconds, data_mebibytes};
  }
  static std::unique_ptr<torch::optim::Optimizer> optimizer = MakeOptimizer(spec, model);
  const auto step = [=] {
    const int64_t begin = batch();
    const torch::Tensor images = torch::from_blob(&x[begin * 784], {n, 784});
    const torch::Tensor classes = torch::from_blob(&y[begin], {n}, torch::kInt64);
    optimizer->zero_grad();
    nn::functional::cross_entropy(model->forward(images), classes).backward();
    optimizer->step();
  };
  const auto accuracy = []() -> double {
    torch::NoGradGuard no_grad;
    const int64_t count = static_cast<int64_t>(ty.size());
    model->eval();
    const torch::Tensor guess = model->forward(torch::from_blob(tx.data(), {count, 784})).argmax(1);
    model->train();
    return double{guess.eq(torch::from_blob(ty.data(), {count}, torch::kInt64)).to(torch::kFloat).mean().item<float>()};
  };
  return {step, accuracy, spec.accuracy_steps, data_seconds, data_mebibytes};
}

// Calls per second.
double Window(const Workload& workload, double seconds) {
  const Clock::time_point start = Clock::now();
  if (workload.accuracy == nullptr) {
    std::vector<double> times;
    while (SecondsSince(start) < seconds || times.size() < 5) {
      const Clock::time_point begin = Clock::now();
      workload.call();
      times.push_back(SecondsSince(begin));
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    return 1 / times[times.size() / 2];
  }
  for (int64_t steps = 4;; steps += 4) {
    for (int i = 0; i < 4; ++i) workload.call();
    const double elapsed = SecondsSince(start);
    if (elapsed >= seconds) return static_cast<double>(steps) / elapsed;
  }
}

void Serve(const Workload& workload, std::map<std::string, std::string>& flags, Clock::time_point start) {
  const std::string name = flags["widths"].empty() ? flags["workload"] : flags["widths"];
  workload.call();
  std::ostringstream base;
  base << "\"framework\": \"libtorch\", \"variant\": \"" << TORCH_VERSION << "\", \"workload\": \"" << name
       << "\", \"threads\": " << flags["threads"] << ", \"to_first_step_s\": " << SecondsSince(start)
       << ", \"data_s\": " << workload.data_seconds << ", \"data_mb\": " << workload.data_mebibytes;
  for (int i = 1; i < workload.accuracy_steps; ++i) workload.call();
  if (workload.accuracy != nullptr) {
    base << ", \"acc_after_" << workload.accuracy_steps << "\": " << workload.accuracy();
  }
  Window(workload, 1);
  const double seconds = std::stod(flags["seconds"]);
  std::vector<double> rates;
  if (flags["serve"] == "true") {
    std::cout << "{" << base.str() << ", \"ready\": true}" << std::endl;
    for (std::string line; std::getline(std::cin, line) && line == "w";) {
      rates.push_back(Window(workload, seconds));
      std::cout << "{\"steps_per_s\": " << rates.back() << ", \"us\": " << 1e6 / rates.back() << "}" << std::endl;
    }
  } else {
    for (int i = 0; i < std::stoi(flags["windows"]); ++i) rates.push_back(Window(workload, seconds));
  }
  if (!rates.empty()) {
    std::sort(rates.begin(), rates.end());
    base << ", \"steps_per_s\": " << rates[rates.size() / 2] << ", \"min\": " << rates.front()
         << ", \"max\": " << rates.back() << ", \"windows\": " << rates.size();
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  std::cout << "{" << base.str() << ", \"peak_rss_mb\": " << static_cast<double>(usage.ru_maxrss) / 1024 << "}"
            << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  const Clock::time_point start = Clock::now();
  std::map<std::string, std::string> flags = ParseFlags(argc, argv);
  const int threads = std::stoi(flags["threads"]);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (int i = 0; i < threads; ++i) CPU_SET(i, &cpus);
  sched_setaffinity(0, sizeof(cpus), &cpus);
  at::set_num_threads(threads);
  std::cout.precision(8);
  const std::string& name = flags["workload"];
  const bool scalars = flags["widths"].empty() && name.substr(0, 2) == "W7";
  Serve(scalars ? Scalars(name) : OnNetwork(flags["widths"].empty() ? name : "", SpecOf(flags), flags["data"]), flags,
        start);
  std::_Exit(0);  // without the library's destructors
}
