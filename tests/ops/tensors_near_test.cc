// What the tests of ops compare with.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

struct NearRow {
  float got;
  float want;
  bool near;
};
const NearRow kNearRows[] = {
    {1, 1.0009f, true},     {1, 1.003f, false},   {INFINITY, INFINITY, true}, {-INFINITY, INFINITY, false},
    {3, INFINITY, false},   {INFINITY, 3, false}, {NAN, NAN, true},           {NAN, INFINITY, false},
    {INFINITY, NAN, false}, {NAN, 3, false},      {0, 0.0005f, true},
};

class TensorsNearTest : public testing::TestWithParam<NearRow> {};
void PrintTo(const NearRow& row, std::ostream* out) { *out << row.got << " for " << row.want; }

TEST_P(TensorsNearTest, Compares) {
  EXPECT_EQ(bool(TensorsNear(Tensor(GetParam().got), Tensor(GetParam().want), 1e-3)), GetParam().near);
}

INSTANTIATE_TEST_SUITE_P(Table, TensorsNearTest, testing::ValuesIn(kNearRows));

}  // namespace
}  // namespace staticflow
