// Batch normalization in ten cells: what the layer computes, what it remembers, and what makes it remember.
//
//   bazel run //examples:batch_norm_basics
//   bazel run //examples:batch_norm_basics -- --momentum=0.9 --input=1,2,3,4
//
// Each function is one cell of a notebook; it prints what the cell printed. Numbers have the fewest digits that tell a
// float from its neighbours, seven or eight, as NumPy prints them.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "examples/support/program.h"
#include "staticflow.h"

ABSL_FLAG(std::string, input, "-10,0,10", "The large batch, one number for each example; the small one is its first.");
ABSL_FLAG(double, momentum, 0.99, "The share of the moving averages that an update keeps, from 0 to 1.");
ABSL_FLAG(int64_t, seed, 0, "Not 0: the large batch is drawn anew, normal with standard deviation 10, by this seed.");

namespace sf = staticflow;

namespace {

constexpr int kManyUpdates = 1000;

// A float with the fewest digits that identify it.
std::string Digits(float value) {
  char buffer[64];
  const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string digits(buffer, end.ptr);
  if (std::isfinite(value) && digits.find_first_of(".e") == std::string::npos) digits += '.';
  return digits;
}

// One number in each row, the points below each other.
std::string Column(const sf::Tensor& tensor) {
  std::vector<std::string> rows;
  size_t before = 0, after = 0;
  const auto point = [](const std::string& row) { return std::min(row.find('.'), row.size()); };
  for (float value : tensor.flat<float>()) {
    rows.push_back(Digits(value));
    before = std::max(before, point(rows.back()));
    after = std::max(after, rows.back().size() - point(rows.back()));
  }
  std::string text;
  for (const std::string& row : rows) {
    const size_t left = before - point(row), right = after - (row.size() - point(row));
    absl::StrAppend(&text, text.empty() ? "[[" : "]\n [", std::string(left, ' '), row, std::string(right, ' '));
  }
  return text + "]]";
}

struct Settings {
  sf::Tensor large;  // [n, 1]
  sf::Tensor small;  // [1, 1], the first row of the large batch
  double momentum = 0.99;
};

// x and the layer's y in a graph of their own, with variables that have their initial values.
struct Model {
  sf::Graph g;
  sf::Output x, y;
  sf::Output is_training;  // only when the model was made with a placeholder
  std::unique_ptr<sf::Session> session;

  explicit Model() { x = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 1}, .name = "x"}); }
  void AddPlaceholder() { is_training = sf::PlaceholderWithDefault(g, false, {.name = "is_training"}); }
  void AddLayer(const Settings& settings, sf::layers::Training training) {
    y = sf::layers::BatchNormalization(g, x, {.momentum = settings.momentum, .training = training});
  }
  absl::Status Start() {
    session = std::make_unique<sf::Session>(g);
    return session->Initialize();
  }
  std::vector<sf::Operation> UpdateOps() const {
    const std::vector<sf::CollectionItem>& items = g.collection(sf::kUpdateOps);
    return {items.begin(), items.end()};
  }
};

void Heading(int cell, const char* text) { std::printf("\nIn [%d]: %s\n", cell, text); }

void PrintColumn(const sf::Tensor& tensor) { std::printf("%s\n", Column(tensor).c_str()); }

absl::Status NotTraining(const Settings& settings) {
  Heading(2, "training = false: the layer uses its moving averages, which nothing has moved yet");
  Model model;
  model.AddLayer(settings, false);
  SF_RETURN_IF_ERROR(model.Start());
  SF_ASSIGN_OR_RETURN(const sf::Tensor y, model.session->Run({{model.x, settings.large}}, model.y));
  PrintColumn(y);
  std::printf("update_ops: %d\n", static_cast<int>(model.UpdateOps().size()));
  return absl::OkStatus();
}

absl::Status IsTraining(const Settings& settings) {
  Heading(3, "training = true: the layer uses the mean and variance of the batch it is given");
  Model model;
  model.AddLayer(settings, true);
  SF_RETURN_IF_ERROR(model.Start());
  SF_ASSIGN_OR_RETURN(const sf::Tensor large, model.session->Run({{model.x, settings.large}}, model.y));
  PrintColumn(large);
  std::printf("each example by itself, which is its own mean:\n");
  for (int64_t i = 0; i < settings.large.num_elements(); ++i) {
    const sf::Tensor one = sf::Tensor::Of<float>({1, 1}, settings.large.flat<float>().subspan(i, 1));
    SF_ASSIGN_OR_RETURN(const sf::Tensor y, model.session->Run({{model.x, one}}, model.y));
    PrintColumn(y);
  }

  Heading(4, "the collection update_ops");
  for (sf::Operation update : model.UpdateOps()) {
    std::printf("<Operation '%s' type=%s>\n", update.name().c_str(), update.node()->type().c_str());
  }
  return absl::OkStatus();
}

absl::Status UpdatesThatNothingReads(const Settings& settings) {
  Heading(5, "the updates run, but with training = true nothing reads the moving averages");
  Model model;
  model.AddLayer(settings, true);
  SF_RETURN_IF_ERROR(model.Start());
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> y_1,
                      model.session->Run({{model.x, settings.large}}, {model.y}, model.UpdateOps()));
  SF_ASSIGN_OR_RETURN(const sf::Tensor y_2, model.session->Run({{model.x, settings.small}}, model.y));
  PrintColumn(y_1[0]);
  PrintColumn(y_2);
  return absl::OkStatus();
}

absl::Status Placeholder(const Settings& settings, int updates) {
  Model model;
  model.AddPlaceholder();
  model.AddLayer(settings, model.is_training);
  SF_RETURN_IF_ERROR(model.Start());
  SF_ASSIGN_OR_RETURN(const sf::Step train,
                      model.session->Prepare(
                          {.feeds = {model.x, model.is_training}, .fetches = {model.y}, .targets = model.UpdateOps()}));
  sf::Tensor y_1;
  for (int i = 0; i < updates; ++i) {
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> out, train.Run({settings.large, true}));
    y_1 = out[0];
  }
  SF_ASSIGN_OR_RETURN(const sf::Tensor y_2,
                      model.session->Run({{model.x, settings.small}, {model.is_training, false}}, model.y));
  PrintColumn(y_1);
  PrintColumn(y_2);
  return absl::OkStatus();
}

absl::Status ControlDependency(const Settings& settings) {
  Heading(8, "the updates as control dependencies: whoever asks for y runs them");
  Model model;
  model.AddPlaceholder();
  model.AddLayer(settings, model.is_training);
  {
    const sf::ControlDependencies after(model.g, model.g.collection(sf::kUpdateOps));
    model.y = sf::Identity(model.y);
  }
  SF_RETURN_IF_ERROR(model.Start());
  sf::Tensor y_1;
  for (int i = 0; i < kManyUpdates; ++i) {
    SF_ASSIGN_OR_RETURN(y_1, model.session->Run({{model.x, settings.large}, {model.is_training, true}}, model.y));
  }
  SF_ASSIGN_OR_RETURN(const sf::Tensor y_2, model.session->Run({{model.x, settings.small}}, model.y));
  PrintColumn(y_1);
  PrintColumn(y_2);

  Heading(9, "the global variables");
  for (const sf::Variable* v : model.g.variables(sf::kGlobalVariables)) {
    std::printf("<Variable '%s:0' shape=(%d,) dtype=float32_ref>\n", v->name().c_str(),
                static_cast<int>(v->shape.dim(0)));
  }

  Heading(10, "a variable of the layer by its name, from a scope that shares what exists");
  const sf::VariableScope scope(model.g, "", {.reuse = sf::Reuse::kAutoReuse});
  const sf::Variable mean = sf::GetVariable(model.g, "batch_normalization/moving_mean");
  const sf::Variable variance = sf::GetVariable(model.g, "batch_normalization/moving_variance");
  SF_RETURN_IF_ERROR(model.g.status());
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> out, model.session->Run({}, {mean.ref(), variance.ref()}));
  std::printf("moving_mean = [%s]\n", Digits(out[0].flat<float>()[0]).c_str());
  std::printf("moving_variance = [%s]\n", Digits(out[1].flat<float>()[0]).c_str());
  return absl::OkStatus();
}

absl::StatusOr<Settings> ReadFlags() {
  Settings settings;
  settings.momentum = absl::GetFlag(FLAGS_momentum);
  SF_RETURN_IF_ERROR(sf::CheckRange("momentum", settings.momentum, 0, 1));
  SF_ASSIGN_OR_RETURN(const std::vector<double> numbers, sf::ParseNumbers("input", absl::GetFlag(FLAGS_input)));
  const std::vector<float> values(numbers.begin(), numbers.end());
  const int64_t n = static_cast<int64_t>(values.size());
  settings.large = sf::Tensor::Of<float>({n, 1}, values);
  if (const int64_t seed = absl::GetFlag(FLAGS_seed); seed != 0) {
    sf::Graph g;
    sf::Session session(g);
    const sf::Output drawn = sf::RandomNormal(g, {n, 1}, {.stddev = 10, .seed = seed});
    SF_ASSIGN_OR_RETURN(settings.large, session.Run({}, drawn));
  }
  settings.small = sf::Tensor::Of<float>({1, 1}, settings.large.flat<float>().subspan(0, 1));
  return settings;
}

absl::Status Run() {
  SF_ASSIGN_OR_RETURN(const Settings settings, ReadFlags());
  std::printf("x =\n");
  PrintColumn(settings.large);
  SF_RETURN_IF_ERROR(NotTraining(settings));
  SF_RETURN_IF_ERROR(IsTraining(settings));
  SF_RETURN_IF_ERROR(UpdatesThatNothingReads(settings));
  Heading(6, "training as a placeholder: one update with true, then the small batch with false");
  SF_RETURN_IF_ERROR(Placeholder(settings, 1));
  Heading(7, "the same after 1000 updates: the averages have arrived");
  SF_RETURN_IF_ERROR(Placeholder(settings, kManyUpdates));
  return ControlDependency(settings);
}

}  // namespace

int main(int argc, char** argv) {
  return sf::RunProgram(argc, argv, "Walks through what a batch normalization layer computes and remembers.", Run);
}
