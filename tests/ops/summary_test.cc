// Reference values: TensorFlow 2.21.
#include "ops/summary.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/array.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    ScalarSummary,
    {{.name = "one",
      .inputs = {Tensor("loss"), Tensor(2.5f)},
      .want = {Tensor(std::string("\012\013\012\004loss\025\000\000 @", 13))}},
     {.name = "several",
      .inputs = {T<std::string>({"a", "b"}), T<int32_t>({1, 2})},
      .want = {Tensor(std::string("\012\010\012\001a\025\000\000\200?\012\010\012\001b\025\000\000\000@", 20))}},
     {.name = "shapes", .inputs = {T<std::string>({"a", "b"}), Tensor(1.0f)}, .want_error = "tags and values"}});

INSTANTIATE_OP_TEST(
    HistogramSummary,
    {{.name = "values",
      .inputs = {Tensor("h"), T({0, 1, -2.5, 1e-13, 1, 300})},
      .want = {Tensor(
          std::string("\012\307\001\012\001h*\301\001\011\000\000\000\000\000\000\004\300\021\000\000\000\000\000\300r@"
                      "\031\000\000\000\000\000\000\030@!\002\000\000\000\000\270r@)\000\000\000\000\204\371\365@"
                      "2H\3526\017v\243\357\004\300w`<\016f\010\003\300\000\000\000\000\000\000\000\000\021\352-"
                      "\201\231\227q=\010\231i\031\025Z\355?+\024\372\315\276$\360?\216D:\021\216tq@iK\363\022i3s@"
                      "\377\377\377\377\377\377\357\177:H\000\000\000\000\000\000\000\000\000\000\000\000\000\000\360?"
                      "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000@"
                      "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000@"
                      "\000\000\000\000\000\000\000\000\000\000\000\000\000\000\360?\000\000\000\000\000\000\000\000",
                      202))}},
     {.name = "ints",
      .inputs = {Tensor("h"), T<int64_t>({3, 3})},
      .want = {Tensor(std::string(
          "\012f\012\001h*a\011\000\000\000\000\000\000\010@\021\000\000\000\000\000\000\010@"
          "\031\000\000\000\000\000\000\000@!\000\000\000\000\000\000\030@)\000\000\000\000\000\0002@"
          "2\030h\274\0205\232\007\007@\015\234\305\240)U\011@\377\377\377\377\377\377\357\177:"
          "\030\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000@\000\000\000\000\000\000\000\000",
          104))}},
     {.name = "nothing",
      .inputs = {Tensor("h"), T({0}, {})},
      .want = {Tensor(std::string("\012+\012\001h*&"
                                  "\011\377\377\377\377\377\377\357\177\021\377\377\377\377\377\377\357\3772\010\377"
                                  "\377\377\377\377\377\357\177:\010\000\000\000\000\000\000\000\000",
                                  45))}},
     {.name = "nan", .inputs = {Tensor("h"), T({NAN})}, .want_error = "NaN in the histogram of h"}});

INSTANTIATE_OP_TEST(
    MergeSummary,
    {{.name = "two",
      .inputs = {Tensor(std::string("\012\010\012\001a\025\000\000\200?", 10)),
                 Tensor(std::string("\012\010\012\001b\025\000\000\000@", 10))},
      .want = {Tensor(std::string("\012\010\012\001a\025\000\000\200?\012\010\012\001b\025\000\000\000@", 20))}},
     {.name = "twice",
      .inputs = {Tensor(std::string("\012\010\012\001a\025\000\000\200?", 10)),
                 Tensor(std::string("\012\010\012\001a\025\000\000\200?", 10))},
      .want_error = "the tag a comes twice"},
     {.name = "text", .inputs = {Tensor("xyz")}, .want_error = "something else than summaries"}});

INSTANTIATE_OP_TEST(TensorSummary,
                    {{.name = "matrix",
                      .inputs = {M({{1, 2}, {3, 4}})},
                      .want = {Tensor(std::string("\012/"
                                                  ":\015TensorSummaryB\036\010\001\022\010\022\002\010\002\022\002\010"
                                                  "\002\"\020\000\000\200?\000\000\000@\000\000@@\000\000\200@",
                                                  49))}}});

INSTANTIATE_OP_TEST(
    TensorSummaryV2,
    {{.name = "matrix",
      .inputs = {Tensor("t"), M<int32_t>({{1, 2}, {3, 4}}), Tensor("")},
      .want = {Tensor(std::string("\012%"
                                  "\012\001tB\036\010\003\022\010\022\002\010\002\022\002\010\002\"\020\001\000\000\000"
                                  "\002\000\000\000\003\000\000\000\004\000\000\000J\000",
                                  39))}},
     {.name = "strings",
      .inputs = {Tensor("t"), T<std::string>({"x", "yz"}), Tensor("")},
      .want = {Tensor(std::string("\012\026\012\001tB\017\010\007\022\004\022\002\010\002B\001xB\002yzJ\000", 24))}}});

INSTANTIATE_OP_TEST(
    AudioSummaryV2,
    {{.name = "two",
      .inputs = {Tensor("t"), M({{0, 0.5, -0.5, 1, -1, 2}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}}), Tensor(44100.0f)},
      .attrs = {{"max_outputs", int64_t{3}}},
      .want = {Tensor(std::string("\n[\n\x09t/audio/02N\x0d\x00"
                                  "D,G\x10\x01\x18\x06\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
                                  "D\xac\x00\x00\x88X\x01\x00\x02\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\x00\x00\x00@\x00\xc0\xff\x7f\x00\x80\xff\x7f*\x09"
                                  "audio/wav\n[\n\x09t/audio/12N\x0d\x00"
                                  "D,G\x10\x01\x18\x06\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
                                  "D\xac\x00\x00\x88X\x01\x00\x02\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\xcd\x0c\x9a\x19"
                                  "f&33\x00@\xcdL*\x09"
                                  "audio/wav",
                                  186))}},
     {.name = "one of two",
      .inputs = {Tensor("t"), M({{0, 0.5, -0.5, 1, -1, 2}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}}), Tensor(44100.0f)},
      .attrs = {{"max_outputs", int64_t{1}}},
      .want = {Tensor(std::string("\nY\n\x07t/audio2N\x0d\x00"
                                  "D,G\x10\x01\x18\x06\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
                                  "D\xac\x00\x00\x88X\x01\x00\x02\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\x00\x00\x00@\x00\xc0\xff\x7f\x00\x80\xff\x7f*\x09"
                                  "audio/wav",
                                  91))}},
     {.name = "the rate as an attribute",
      .op = "AudioSummary",
      .inputs = {Tensor("t"), M({{0, 0.5, -0.5, 1, -1, 2}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}})},
      .attrs = {{"max_outputs", int64_t{1}}, {"sample_rate", 44100.0f}},
      .want = {Tensor(std::string("\nY\n\x07t/audio2N\x0d\x00"
                                  "D,G\x10\x01\x18\x06\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
                                  "D\xac\x00\x00\x88X\x01\x00\x02\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\x00\x00\x00@\x00\xc0\xff\x7f\x00\x80\xff\x7f*\x09"
                                  "audio/wav",
                                  91))}},
     {.name = "channels",
      .inputs = {Tensor("t"), T({2, 3, 2}, {0, 0.5, -0.5, 1, -1, 2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6}), Tensor(44100.5f)},
      .attrs = {{"max_outputs", int64_t{3}}},
      .want = {Tensor(std::string("\n[\n\x09t/audio/02N\x0d\x80"
                                  "D,G\x10\x02\x18\x03\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"
                                  "D\xac\x00\x00\x10\xb1\x02\x00\x04\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\x00\x00\x00@\x00\xc0\xff\x7f\x00\x80\xff\x7f*\x09"
                                  "audio/wav\n[\n\x09t/audio/12N\x0d\x80"
                                  "D,G\x10\x02\x18\x03\"8RIFF0\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"
                                  "D\xac\x00\x00\x10\xb1\x02\x00\x04\x00\x10\x00"
                                  "data\x0c\x00\x00\x00\xcd\x0c\x9a\x19"
                                  "f&33\x00@\xcdL*\x09"
                                  "audio/wav",
                                  186))}},
     {.name = "nothing",
      .inputs = {Tensor("t"), T({0, 6}, {}), Tensor(44100.0f)},
      .attrs = {{"max_outputs", int64_t{3}}},
      .want = {Tensor("")}},
     {.name = "rank",
      .inputs = {Tensor("t"), T({0, 0.5, -0.5, 1, -1, 2}), Tensor(44100.0f)},
      .attrs = {{"max_outputs", int64_t{3}}},
      .want_error = "the sounds have shape"},
     {.name = "rate",
      .inputs = {Tensor("t"), M({{0, 0.5, -0.5, 1, -1, 2}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}}), Tensor(0.0f)},
      .attrs = {{"max_outputs", int64_t{3}}},
      .want_error = "sample_rate is 0"}});

TEST(MediaBuilders, JoinTheSummaries) {
  Graph g;
  ImageSummary("picture", Const(g, T<uint8_t>({1, 1, 1, 1}, {7})), {.max_images = 1});
  AudioSummary("sound", Const(g, M({{0, 1}})), Const(g, 8000.0f));
  const Output all = MergeAllSummaries(g);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const absl::StatusOr<Tensor> got = session.Run({}, all);
  ASSERT_TRUE(got.ok()) << got.status();
  for (const char* tag : {"picture/image", "sound/audio/0"}) {
    EXPECT_NE(got->data<std::string>()->find(tag), std::string::npos) << tag;
  }
}

}  // namespace
}  // namespace staticflow
