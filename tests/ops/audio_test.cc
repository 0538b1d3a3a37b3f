// Sounds. Values: TensorFlow 2.21.
#include "ops/audio.h"

#include "ops/array.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

// Bytes of numbers, the lower byte first.
std::string Little(std::initializer_list<int> numbers, int size) {
  std::string bytes;
  for (int number : numbers) {
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
  }
  return bytes;
}
std::string Chunk(const std::string& name, const std::string& bytes) {
  return name + Little({static_cast<int>(bytes.size())}, 4) + bytes;
}
std::string Format(int channels, int format = 1, int bits = 16) {
  return Little({format, channels}, 2) + Little({8000, 16000 * channels}, 4) + Little({2 * channels, bits}, 2);
}
std::string File(const std::string& chunks) { return Chunk("RIFF", "WAVE" + chunks); }
// Three frames of two channels.
std::string Stereo() {
  return File(Chunk("fmt ", Format(2)) + Chunk("data", Little({0, 1, 16384, -1, -32768, 32767}, 2)));
}
Tensor Mono(const std::string& before, const std::string& after) {
  return Tensor(File(before + Chunk("fmt ", Format(1)) + Chunk("data", Little({8192, -8192}, 2)) + after));
}

INSTANTIATE_OP_TEST(
    DecodeWav,
    {{.name = "two channels",
      .inputs = {Tensor(Stereo())},
      .want = {M({{0, 1.0f / 32768}, {0.5f, -1.0f / 32768}, {-1, 32767.0f / 32768}}), Tensor(int32_t{8000})},
      .tolerance = 0},
     {.name = "more of both",
      .inputs = {Tensor(Stereo())},
      .attrs = {{"desired_channels", int64_t{3}}, {"desired_samples", int64_t{4}}},
      .want = {M({{0, 1.0f / 32768, 1.0f / 32768},
                  {0.5f, -1.0f / 32768, -1.0f / 32768},
                  {-1, 32767.0f / 32768, 32767.0f / 32768},
                  {0, 0, 0}})}},
     {.name = "less of both",
      .inputs = {Tensor(Stereo())},
      .attrs = {{"desired_channels", int64_t{1}}, {"desired_samples", int64_t{2}}},
      .want = {M({{0}, {0.5f}})}},
     {.name = "other parts before the format and after the data",
      .inputs = {Mono(Chunk("JUNK", "abcd"), Chunk("LIST", "ab"))},
      .want = {M({{0.25f}, {-0.25f}})}},
     {.name = "a longer format",
      .inputs = {Tensor(File(Chunk("fmt ", Format(1) + Little({0}, 2)) + Chunk("data", Little({8192}, 2))))},
      .want = {M({{0.25f}})}},
     {.name = "no data", .inputs = {Tensor(File(Chunk("fmt ", Format(1))))}, .want_error = "has no data"},
     {.name = "data twice", .inputs = {Mono("", Chunk("data", "ab"))}, .want_error = "two parts of data"},
     {.name = "an unknown part", .inputs = {Mono(Chunk("abcd", ""), "")}, .want_error = "'abcd' where its format"},
     {.name = "no sound", .inputs = {Tensor("RIFX")}, .want_error = "'RIFX' where RIFF is expected"},
     {.name = "cut off", .inputs = {Tensor(Stereo().substr(0, 50))}, .want_error = "it ends where 12 more bytes"},
     {.name = "float samples", .inputs = {Tensor(File(Chunk("fmt ", Format(1, 3))))}, .want_error = "its format: 3"},
     {.name = "bytes", .inputs = {Tensor(File(Chunk("fmt ", Format(1, 1, 8))))}, .want_error = "bits per sample: 8"},
     {.name = "no channels", .inputs = {Tensor(File(Chunk("fmt ", Format(0))))}, .want_error = "no channels"},
     {.name = "negative", .inputs = {Tensor("")}, .attrs = {{"desired_samples", int64_t{-2}}}, .want_error = "is -2"}});

INSTANTIATE_OP_TEST(
    EncodeWav, {{.name = "rounded and cut off",
                 .inputs = {M({{0, 1.2f / 32768}, {0.5f, -0.7f / 32768}, {-2, 3}}), Tensor(int32_t{8000})},
                 .want = {Tensor(Stereo())}},
                {.name = "no rate", .inputs = {M({{1}}), Tensor(int32_t{0})}, .want_error = "sample_rate is 0"},
                {.name = "no channels", .inputs = {T({2, 0}, {}), Tensor(int32_t{1})}, .want_error = "no file holds"}});

INSTANTIATE_OP_TEST(
    AudioSpectrogram,
    {{.name = "two channels",
      .inputs = {T({11, 2}, {-0.170000002, 0.439999998,  -1,           -0.400000006, -0.709999979, -0.819999993,
                             -0.629999995, -0.310000002, -0.209999993, 0.0799999982, -0.159999996, 0.370000005,
                             -0.589999974, 0.75999999,   -0.949999988, 0.340000004,  -0.170000002, 0.119999997,
                             -0.720000029, -0.600000024, 0.600000024,  0.939999998})},
      .attrs = {{"window_size", int64_t{6}}, {"stride", int64_t{4}}, {"magnitude_squared", false}},
      .want = {T({2, 2, 5}, {1.61000001,  1.21469772,  0.506186724, 0.152428836, 0.230000019, 1.73999989,  1.35557818,
                             0.79506284,  0.656302273, 0.600000024, 0.872500002, 0.970595717, 0.739683211, 0.296490192,
                             0.237499997, 0.942499995, 0.994670928, 0.62322247,  0.159506306, 0.377499998})}},
     {.name = "squared",
      .inputs = {T({8, 1}, {-0.370000005, 0.379999995, 0.75, 0.790000021, -0.829999983, -0.920000017, -0.660000026,
                            0.75999999})},
      .attrs = {{"window_size", int64_t{4}}, {"stride", int64_t{2}}, {"magnitude_squared", true}},
      .want = {T({1, 3, 3}, {1.78222501, 0.60452503, 0.0272249971, 0.801024973, 1.41992497, 0.585224986, 0.547600031,
                             1.14120007, 0.336400002})}},
     {.name = "too short",
      .inputs = {T({3, 1}, {-0.800000012, -0.159999996, 0.920000017})},
      .attrs = {{"window_size", int64_t{4}}, {"stride", int64_t{1}}, {"magnitude_squared", false}},
      .want = {T({1, 0, 3}, {})}},
     {.name = "no stride",
      .inputs = {T({3, 1}, {1, 2, 3})},
      .attrs = {{"window_size", int64_t{2}}, {"stride", int64_t{0}}},
      .want_error = "one every 0"}});

INSTANTIATE_OP_TEST(
    Mfcc,
    {{.name = "two frames",
      .inputs = {T({1, 2, 17}, {4.80000019, 6.23000002,  2.83999991, 6.17999983,  7.51000023,  0.159999996, 6.75,
                                8.89999962, 6.73000002,  2.51999998, 7.0999999,   0.930000007, 4.03000021,  8.18000031,
                                2.6400001,  2.58999991,  1.16999996, 0.170000002, 6.11000013,  1.89999998,  2.3900001,
                                4.42000008, 0.479999989, 5.17000008, 1.32000005,  5.30000019,  6.30000019,  0.920000017,
                                3.73000002, 6.25,        3.73000002, 0.449999988, 4.82000017,  5.96999979}),
                 Tensor(int32_t{8000})},
      .attrs = {{"filterbank_channel_count", int64_t{6}}, {"dct_coefficient_count", int64_t{4}}},
      .want = {T({1, 2, 4}, {5.00994492, -1.02340138, 0.0539213531, 0.0433292389, 4.36631346, -1.05061495, 0.29823938,
                             0.110460289})},
      .tolerance = 1e-4},
     {.name = "other limits",
      .inputs = {T({2, 1, 9}, {4.63000011, 8.5, 5.28000021, 8.13000011, 1.24000001, 1.25, 7.26999998, 3.57999992,
                               1.49000001, 8.35000038, 3.13000011, 6.76000023, 6.53000021, 7.94999981, 5.61000013,
                               6.76000023, 3.1400001, 2.43000007}),
                 Tensor(int32_t{16000})},
      .attrs = {{"filterbank_channel_count", int64_t{3}},
                {"dct_coefficient_count", int64_t{3}},
                {"lower_frequency_limit", 500.0f},
                {"upper_frequency_limit", 7000.0f}},
      .want = {T({2, 1, 3}, {1.6551038, -1.31830895, -0.680751085, 2.17531276, -1.56171715, -0.476734251})},
      .tolerance = 1e-4},
     {.name = "limits above all frequencies",
      .inputs = {T({1, 1, 5}, {8.06000042, 3.8499999, 8.68000031, 5.96999979, 5.5999999}), Tensor(int32_t{4000})},
      .attrs = {{"filterbank_channel_count", int64_t{3}}, {"dct_coefficient_count", int64_t{2}}},
      .want = {T({1, 1, 2}, {0, 0})},
      .tolerance = 1e-4},
     {.name = "more coefficients than bands",
      .inputs = {T({1, 1, 2}, {1, 2}), Tensor(int32_t{9})},
      .attrs = {{"filterbank_channel_count", int64_t{1}}, {"dct_coefficient_count", int64_t{2}}},
      .want_error = "2 coefficients of 1 bands"},
     {.name = "no rate", .inputs = {T({1, 1, 2}, {1, 2}), Tensor(int32_t{0})}, .want_error = "at 0 Hz"}});

// A sound goes into a file and comes back; its features have the shapes that they should have.
TEST(Audio, IsBuilt) {
  Graph g;
  const Output sound = Const(g, Tensor::Of<float>({32, 1}, std::vector<float>(32, 0.25f)));
  const WavContents wav = DecodeWav(EncodeWav(sound, Const(g, Tensor(int32_t{8000}))), {.desired_channels = 1});
  const Output spectrogram = AudioSpectrogram(wav.audio, 16, 8, {.magnitude_squared = true});
  const Output features =
      Mfcc(spectrogram, wav.sample_rate, {.filterbank_channel_count = 4, .dct_coefficient_count = 2});
  EXPECT_EQ(features.shape(), (Shape{1, -1, 2}));
  const auto values = Session(g).Run({}, std::vector<Output>{wav.audio, features});
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ((*values)[0].data<float>()[31], 0.25f);
  EXPECT_EQ((*values)[1].shape(), (Shape{1, 3, 2}));
}

}  // namespace
}  // namespace staticflow
