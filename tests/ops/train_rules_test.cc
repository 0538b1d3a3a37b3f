// Four steps of each optimizer, with dense gradients and with rows, against TensorFlow 2.21 (tf.compat.v1.train);
// AdamW, LARS and LAMB against their formulas.
#include <memory>

#include "graph/variable_scope.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "ops/train/adadelta.h"
#include "ops/train/adagrad.h"
#include "ops/train/adam.h"
#include "ops/train/adam_w.h"
#include "ops/train/ftrl.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/lamb.h"
#include "ops/train/lars.h"
#include "ops/train/momentum.h"
#include "ops/train/proximal.h"
#include "ops/train/rms_prop.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

// loss = mean((x * [1, 2])^2), where x is the variable or some of its rows, one of them twice.
struct Trajectory {
  const char* name;
  std::unique_ptr<train::Optimizer> (*make)(Graph& g, Output step);
  Tensor dense, rows;
  friend void PrintTo(const Trajectory& t, std::ostream* out) { *out << t.name; }
};

class TrainRulesTest : public testing::TestWithParam<Trajectory> {
 protected:
  void Check(bool use_rows, bool use_resource, const Tensor& want) {
    SCOPED_TRACE(testing::Message() << (use_rows ? "rows " : "dense ") << (use_resource ? "resource" : "reference"));
    Graph g;
    const Variable step = GetOrCreateGlobalStep(g);
    const Variable w =
        NewVariable(g, M({{1, -2}, {3, 0.5}, {-1.5, 2}, {0.25, 4}}), {.name = "w", .use_resource = use_resource});
    const Output x = use_rows ? Gather(w.snapshot, Const(g, T<int32_t>({0, 2, 0}))) : w.snapshot;
    const Output loss = Mean(Square(x * Const(g, T({1, 2}))));
    const std::unique_ptr<train::Optimizer> optimizer = GetParam().make(g, step.ref());
    const std::vector<train::GradientAndVariable> gradients = optimizer->ComputeGradients(loss);
    ASSERT_EQ(gradients.size(), 1u);
    EXPECT_EQ(gradients[0].indices.valid(), use_rows);
    const Operation train = optimizer->ApplyGradients(gradients, {.global_step = step.ref()});
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    for (int i = 0; i < 4; ++i) {
      const absl::Status status = session.Run({}, std::vector<Output>(), {train}).status();
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(TensorsNear(*session.Run({}, w.snapshot), want, 2e-6));
  }
};

TEST_P(TrainRulesTest, Dense) {
  Check(false, false, GetParam().dense);
  Check(false, true, GetParam().dense);
}
TEST_P(TrainRulesTest, Rows) {
  Check(true, false, GetParam().rows);
  Check(true, true, GetParam().rows);
}

INSTANTIATE_TEST_SUITE_P(
    Train, TrainRulesTest,
    testing::Values(
        Trajectory{"GradientDescent",
                   [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
                     return std::make_unique<train::GradientDescent>(
                         g, train::GradientDescentOptions{.learning_rate = 0.1});
                   },
                   M({{0.9036879, -1.3122}, {2.7110636, 0.32805}, {-1.3555318, 1.3122}, {0.22592197, 2.6244}}),
                   M({{0.7588345, -0.5784099}, {3, 0.5}, {-1.3097798, 1.1283357}, {0.25, 4}})},
        Trajectory{
            "Momentum",
            [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
              return std::make_unique<train::Momentum>(g,
                                                       train::MomentumOptions{.learning_rate = 0.1, .momentum = 0.9});
            },
            M({{0.7823145, -0.45359993}, {2.3469431, 0.11339998}, {-1.1734716, 0.45359993}, {0.19557862, 0.90719986}}),
            M({{0.45623454, 1.1031902}, {3, 0.5}, {-1.0702296, 0.047535837}, {0.25, 4}})},
        Trajectory{
            "Nesterov",
            [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
              return std::make_unique<train::Momentum>(
                  g, train::MomentumOptions{.learning_rate = 0.1, .momentum = 0.9, .use_nesterov = true});
            },
            M({{0.717287, -0.18777582}, {2.1518612, 0.046943955}, {-1.0759306, 0.18777582}, {0.17932175, 0.37555164}}),
            M({{0.33245707, 0.837176}, {3, 0.5}, {-0.94800806, -0.18156591}, {0.25, 4}})},
        Trajectory{
            "Adagrad",
            [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
              return std::make_unique<train::Adagrad>(g, train::AdagradOptions{.learning_rate = 0.1});
            },
            M({{0.8068823, -1.7305816}, {2.7395167, 0.27739817}, {-1.2730134, 1.7305816}, {0.18227306, 3.7254915}}),
            M({{0.75217456, -1.7288452}, {3, 0.5}, {-1.2577411, 1.7297031}, {0.25, 4}})},
        Trajectory{"AdagradDA",
                   [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
                     return std::make_unique<train::AdagradDA>(
                         g, train::AdagradDAOptions{.learning_rate = 0.1,
                                                    .global_step = step,
                                                    .l1_regularization_strength = 0.01,
                                                    .l2_regularization_strength = 0.02});
                   },
                   M({{-0.041349698, 0.082470626},
                      {-0.07840613, -0.04227229},
                      {0.05684815, -0.082470626},
                      {-0.0041060383, -0.09120747}}),
                   M({{-0.062282152, 0.08453428}, {3, 0.5}, {0.06386185, -0.08336918}, {0.25, 4}})},
        Trajectory{
            "Adadelta",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::Adadelta>(
                                                                 g,
                                                                 train::AdadeltaOptions{
                                                                     .learning_rate = 1, .rho = 0.9, .epsilon = 1e-4});
                                                           },
            M({{0.87419915, -1.8713206}, {2.870808, 0.37731898}, {-1.3723865, 1.8713206}, {0.14720072, 3.8703897}}),
            M({{0.8733233, -1.8713064}, {3, 0.5}, {-1.3721844, 1.8713133}, {0.25, 4}})},
        Trajectory{
            "Adam",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::Adam>(
                                                                 g, train::AdamOptions{.learning_rate = 0.1});
                                                           },
            M({{0.6039407, -1.6015062}, {2.600915, 0.112916805}, {-1.1022005, 1.6015062}, {-0.09313636, 3.6006546}}),
            M({{0.60394055, -1.6015062}, {3, 0.5}, {-1.1022005, 1.6015062}, {0.25, 4}})},
        Trajectory{
            "RMSProp",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::RMSProp>(
                                                                 g, train::RMSPropOptions{.learning_rate = 0.1,
                                                                                          .momentum = 0.5});
                                                           },
            M({{0.8362111, -1.1171465}, {2.5361788, 0.2193825}, {-1.2566656, 1.1171465}, {0.20874988, 2.8004193}}),
            M({{0.61017174, -0.80575395}, {3, 0.5}, {-1.1842989, 0.9989425}, {0.25, 4}})},
        Trajectory{"CenteredRMSProp",
                   [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                                  unique_ptr<train::Optimizer> {
                                                                    return std::make_unique<train::RMSProp>(
                                                                        g, train::RMSPropOptions{.learning_rate = 0.1,
                                                                                                 .centered = true});
                                                                  },
                   M({{0.8912329, -1.3931991}, {2.689186, 0.31129417}, {-1.3381455, 1.3931991}, {0.2226423, 3.162952}}),
                   M({{0.7383619, -1.1618387}, {3, 0.5}, {-1.289407, 1.3067253}, {0.25, 4}})},
        Trajectory{
            "Ftrl",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::Ftrl>(
                                                                 g, train::FtrlOptions{
                                                                        .learning_rate = 0.1,
                                                                        .l1_regularization_strength = 0.01,
                                                                        .l2_regularization_strength = 0.02});
                                                           },
            M({{0.12384778, -1.428652}, {1.6069437, 0.0861849}, {-0.3886755, 1.428652}, {-0.008976714, 3.4126487}}),
            M({{0.37386522, -1.6138012}, {3, 0.5}, {-0.51987183, 1.5015363}, {0.25, 4}})},
        Trajectory{
            "FtrlShrinkage",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::Ftrl>(
                                                                 g, train::FtrlOptions{
                                                                        .learning_rate = 0.1,
                                                                        .l2_shrinkage_regularization_strength = 0.05});
                                                           },
            M({{0.098169856, -1.4072772}, {1.5321766, 0.07757526}, {-0.34432262, 1.4072772}, {-0.01586897, 3.3898575}}),
            M({{0.35136202, -1.6054924}, {3, 0.5}, {-0.47793698, 1.4852436}, {0.25, 4}})},
        Trajectory{"ProximalGradientDescent",
                   [](Graph& g, [[maybe_unused]] Output step) -> std::unique_ptr<train::Optimizer> {
                     return std::make_unique<train::ProximalGradientDescent>(
                         g, train::ProximalGradientDescentOptions{.learning_rate = 0.1,
                                                                  .l1_regularization_strength = 0.01,
                                                                  .l2_regularization_strength = 0.02});
                   },
                   M({{0.89266104, -1.2983319},
                      {2.6856499, 0.32201594},
                      {-1.3409079, 1.2983319},
                      {0.22029008, 2.600087}}),
                   M({{0.74919415, -0.57115144}, {3, 0.5}, {-1.2955678, 1.1161004}, {0.25, 4}})},
        Trajectory{
            "ProximalAdagrad",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::ProximalAdagrad>(
                                                                 g, train::ProximalAdagradOptions{
                                                                        .learning_rate = 0.1,
                                                                        .l1_regularization_strength = 0.01,
                                                                        .l2_regularization_strength = 0.02});
                                                           },
            M({{0.78533703, -1.7241635}, {2.7160761, 0.2693945}, {-1.2501974, 1.7241635}, {0.16714008, 3.719482}}),
            M({{0.7418474, -1.7264216}, {3, 0.5}, {-1.2394866, 1.7248727}, {0.25, 4}})},
        Trajectory{
            "AdamW",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::AdamW>(
                                                                 g, train::AdamWOptions{.weight_decay = 0.01,
                                                                                        .learning_rate = 0.1});
                                                           },
            M({{0.57104796, -1.5290327}, {2.4889872, 0.10021071}, {-1.0494834, 1.5290327}, {-0.09488619, 3.449299}}),
            M({{0.5710477, -1.5290327}, {2.881788, 0.480298}, {-1.0494833, 1.5290327}, {0.240149, 3.842384}})},
        Trajectory{"Lars",
                   [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                                  unique_ptr<train::Optimizer> {
                                                                    return std::make_unique<train::Lars>(
                                                                        g, train::LarsOptions{.learning_rate = 0.5,
                                                                                              .weight_decay = 0.01,
                                                                                              .eeta = 0.1});
                                                                  },
                   M({{0.854378, -0.9483406}, {2.563134, 0.23708515}, {-1.281567, 0.9483406}, {0.2135945, 1.8966812}}),
                   M({{0.49173236, 1.1817151}, {2.975754, 0.495959}, {-1.0986297, 0.128733}, {0.2479795, 3.967672}})},
        Trajectory{
            "Lamb",
            [](Graph& g, [[maybe_unused]] Output step) -> std::
                                                           unique_ptr<train::Optimizer> {
                                                             return std::make_unique<train::Lamb>(
                                                                 g, train::LambOptions{.learning_rate = 0.1,
                                                                                       .weight_decay_rate = 0.01});
                                                           },
            M({{0.22719789, -1.2012339}, {2.1898394, -0.18023309}, {-0.70978945, 1.2012339}, {-0.14990038, 3.180541}}),
            M({{-0.07705679, -0.8516578},
               {2.9656038, 0.49426728},
               {-0.3716803, 0.85165805},
               {0.24713364, 3.9541383}})}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace staticflow
