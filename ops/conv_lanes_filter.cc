// The gradient of convolutions by their filters: for every tap, channel of x and channel of y, the sum of products over
// all windows. A row of the filter's taps meets pixels that lie side by side in a picture with a border, so the lanes
// of a vector are taps and channels of x together; the pictures pass by, some hundred windows at a time.
#include <algorithm>
#include <array>

#include "graph/status.h"
#include "ops/conv_lanes.h"
#include "ops/conv_picture.h"
#include "ops/conv_scratch.h"
#include "runtime/conv_lanes.h"

namespace staticflow {
namespace {

// Windows that are added up before the sum goes to the others: enough to be fast, few enough for float sums to stay
// accurate, and for what they meet to stay in the first-level cache.
constexpr int64_t kChunkWindows = 400;
constexpr int64_t kMaxSums = int64_t{1} << 22;

int64_t WholeVectors(int64_t lanes) { return (lanes + kConvLanes - 1) / kConvLanes * kConvLanes; }

// The taps of one dimension that any window has within the picture: [first, end).
IndexRange TapsWithin(const WindowDim& dim) {
  IndexRange taps = {dim.window, 0};
  for (int64_t t = 0; t < dim.window; ++t) {
    const IndexRange windows = WindowsOfTap(dim, t);
    if (windows.begin == windows.end) continue;
    taps = {std::min(taps.begin, t), t + 1};
  }
  return taps.end == 0 ? IndexRange{0, 0} : taps;
}

class FilterSums {
 public:
  explicit FilterSums(const ConvShape& s)
      : s_(s),
        taps_(TapsWithin(s.dims[2])),
        row_taps_(s.dims[0].window * s.dims[1].window),
        lanes_((taps_.end - taps_.begin) * s.in_channels),
        vectors_(WholeVectors(lanes_) / kConvLanes),
        stacked_(vectors_ == 1),
        rows_(s.dims[0].out * s.dims[1].out),
        chunk_(std::max<int64_t>(1, kChunkWindows / s.dims[2].out)),
        pass_(std::clamp<int64_t>(chunk_ / std::max<int64_t>(1, rows_), 1, s.batch)),
        x_(stacked_ ? PaddedPicture(s.dims, s.in_channels) : PaddedPicture(s.in_size(), s.in_channels)),
        dy_(s.out_size(), s.out_channels) {
    x_.before[2] = std::max<int64_t>(0, s.dims[2].before - taps_.begin);
    x_.size[2] = std::max(x_.before[2] + x_.inner[2],
                          (s.dims[2].out - 1) * s.dims[2].stride + taps_.end - s.dims[2].before + x_.before[2]);
    plain_dy_ = !s.channels_first || s.out_channels == 1;
  }

  void AddScratch(ScratchArrays& arrays, IndexRange channels) {
    // A vector's last lanes may lie behind the last picture.
    pictures_ = arrays.Add<float>(AddSizes(MultiplySizes(pass_, x_.elements()), kConvLanes));
    dy_pictures_ = arrays.Add<float>(plain_dy_ ? 0 : MultiplySizes(pass_, dy_.elements()));
    runs_ = arrays.Add<ConvRun>(chunk_);
    const int64_t sums = (channels.end - channels.begin) * sum_step();
    for (ScratchArray<float>& part : parts_) part = arrays.Add<float>(sums);
  }

  void Prepare(IndexRange channels, char* memory) {
    memory_ = memory;
    channels_ = channels;
    std::fill_n(pictures_.in(memory), pass_ * x_.elements() + kConvLanes, 0.0f);
  }

  // Adds up the first or the second half of the pictures, from zero.
  void SumPart(int part, const float* x, const float* dy) {
    sums_ = parts_[part].in(memory_);
    std::fill_n(sums_, num_sums(), 0.0f);
    const int64_t half = s_.batch - s_.batch / 2;
    float* pictures = pictures_.in(memory_);
    for (int64_t first = part == 0 ? 0 : half; first < (part == 0 ? half : s_.batch); first += pass_) {
      const int64_t end = std::min(part == 0 ? half : s_.batch, first + pass_);
      for (int64_t i = first; i < end; ++i) {
        LoadInnerPicture(x + i * s_.in_pixels() * s_.in_channels, s_.channels_first, x_,
                         pictures + (i - first) * x_.elements());
        if (plain_dy_) continue;
        LoadInnerPicture(dy + i * dy_.elements(), true, dy_, dy_pictures_.in(memory_) + (i - first) * dy_.elements());
      }
      AddPass(plain_dy_ ? dy + first * dy_.elements() : dy_pictures_.in(memory_), end - first);
    }
  }

  void Store(int part, float* df) {
    const int64_t count = channels_.end - channels_.begin, window = s_.dims[2].window;
    for (int64_t t = 0; t < row_taps_; ++t) {
      float* rows = df + t * window * s_.in_channels * s_.out_channels + channels_.begin;
      for (int64_t r = 0; r < window * s_.in_channels; ++r) {
        const int64_t tap = r / s_.in_channels;
        if (tap < taps_.begin || tap >= taps_.end) std::fill_n(rows + r * s_.out_channels, count, 0.0f);
      }
      TransposeLanes({.source = parts_[part].in(memory_) + t * vectors_ * kConvLanes,
                      .source_step = sum_step(),
                      .rows = count,
                      .columns = lanes_,
                      .target = rows + taps_.begin * s_.in_channels * s_.out_channels,
                      .target_step = s_.out_channels});
    }
  }

  // Adds the second part to the first.
  void AddParts() {
    float* sums = parts_[0].in(memory_);
    const float* more = parts_[1].in(memory_);
    for (int64_t i = 0; i < num_sums(); ++i) sums[i] += more[i];
  }

 private:
  int64_t sum_step() const { return row_taps_ * vectors_ * kConvLanes; }
  int64_t num_sums() const { return (channels_.end - channels_.begin) * sum_step(); }

  // How many rows of taps from row t on pass by together: those above each other.
  int64_t Stack(int64_t t) const {
    const int64_t rows = s_.dims[1].window;
    return stacked_ ? std::min<int64_t>(kMaxConvVectors, rows - t % rows) : 1;
  }

  void AddPass(const float* dy, int64_t pictures) {
    const int64_t rows = pictures * rows_;
    for (int64_t first = 0; first < rows; first += chunk_) {
      for (int64_t t = 0; t < row_taps_; t += Stack(t)) {
        const int64_t runs = ListRuns(t, {first, std::min(rows, first + chunk_)});
        if (runs > 0) AddRows(dy, t, runs);
      }
    }
  }

  // The rows of windows that row t of taps meets; all of them where the picture has a border.
  int64_t ListRuns(int64_t t, IndexRange rows_of_windows) {
    const auto& [depth, rows, columns] = s_.dims;
    const int64_t kd = t / rows.window, kh = t % rows.window;
    const IndexRange ds = WindowsOfTap(depth, kd), hs = WindowsOfTap(rows, kh);
    ConvRun* run = runs_.in(memory_);
    for (int64_t r = rows_of_windows.begin; r < rows_of_windows.end; ++r) {
      const int64_t picture = r / rows_, d = r % rows_ / rows.out, h = r % rows.out;
      if (!stacked_ && (d < ds.begin || d >= ds.end || h < hs.begin || h >= hs.end)) continue;
      const int64_t sd = d * depth.stride + kd * depth.dilation - depth.before + x_.before[0];
      const int64_t sh = h * rows.stride + kh * rows.dilation - rows.before + x_.before[1];
      const int64_t sw = taps_.begin - columns.before + x_.before[2];
      *run++ = {picture * x_.elements() + x_.offset(sd, sh, sw), r * columns.out * s_.out_channels, columns.out};
    }
    return run - runs_.in(memory_);
  }

  void AddRows(const float* dy, int64_t t, int64_t runs) {
    ConvSums sums = {.runs = runs_.in(memory_),
                     .num_runs = runs,
                     .x_step = s_.dims[2].stride * s_.in_channels,
                     .w_step = s_.out_channels,
                     .y_step = sum_step(),
                     .x_vector_step = stacked_ ? x_.offset(0, s_.dims[1].dilation, 0) : kConvLanes,
                     .y_vector_step = kConvLanes,
                     .accumulate = true};
    const int64_t count = channels_.end - channels_.begin;
    const int64_t vectors = stacked_ ? Stack(t) : vectors_;
    for (int64_t v = 0; v < vectors; v += sums.vectors) {
      const int64_t rest = vectors - v;
      sums.vectors = rest == 1 ? 1 : rest % 2 == 0 ? 2 : kMaxConvVectors;
      sums.x = pictures_.in(memory_) + v * kConvLanes;
      const int64_t most = kMaxConvSums[sums.vectors], blocks = (count + most - 1) / most;
      for (int64_t b = 0; b < blocks; ++b) {
        const int64_t channel = count * b / blocks;
        sums.sums = static_cast<int>(count * (b + 1) / blocks - channel);
        sums.w = dy + channels_.begin + channel;
        sums.y = sums_ + channel * sums.y_step + (t * vectors_ + v) * kConvLanes;
        AddConvRuns(sums);
      }
    }
  }

  const ConvShape& s_;
  const IndexRange taps_;   // of a row: those that lie within the picture anywhere
  const int64_t row_taps_;  // rows of taps
  const int64_t lanes_;     // products with each element of dy for a row of taps
  const int64_t vectors_;
  // Whether vectors are rows of taps above each other, since one is all that a row takes. Then the picture has a border
  // all around, which all of them may touch; else beside its columns alone, and rows of taps leave out what they miss.
  const bool stacked_;
  const int64_t rows_;   // rows of windows in a picture
  const int64_t chunk_;  // rows of windows added up at a time
  const int64_t pass_;   // pictures loaded at a time
  PaddedPicture x_, dy_;
  bool plain_dy_ = false;
  IndexRange channels_;
  ScratchArray<float> pictures_, dy_pictures_;
  ScratchArray<ConvRun> runs_;
  std::array<ScratchArray<float>, 2> parts_;  // [channel of y, row of taps, tap and channel of x]
  float* sums_ = nullptr;                     // those of the part that is added up
  char* memory_ = nullptr;
};

}  // namespace

bool ConvBackpropFilterFitsLanes(const ConvShape& s) {
  if (!ConvLanesSupported() || s.groups != 1 || s.dims[2].dilation != 1) return false;
  const int64_t sums = MultiplySizes(s.taps(), MultiplySizes(s.in_channels + kConvLanes, s.out_channels));
  if (s.batch == 0 || s.out_pixels() == 0 || s.out_channels == 0 || sums > kMaxSums) return false;
  // Products of matrices have the channels of y in their lanes: better where those fill vectors much better.
  const int64_t lanes = s.dims[2].window * s.in_channels;
  return 3 * lanes * WholeVectors(s.out_channels) >= 2 * s.out_channels * WholeVectors(lanes);
}

absl::Status ConvBackpropFilterLanes(KernelContext& c, const ConvShape& s, const float* x, const float* dy, float* df,
                                     IndexRange channels) {
  FilterSums sums(s);
  ScratchArrays arrays;
  sums.AddScratch(arrays, channels);
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  sums.Prepare(channels, memory);
  for (int part : {0, 1}) sums.SumPart(part, x, dy);
  sums.AddParts();
  sums.Store(0, df);
  return absl::OkStatus();
}

absl::Status ConvBackpropFilterPart(KernelContext& c, const ConvShape& s, const float* x, const float* dy, int part,
                                    float* df) {
  FilterSums sums(s);
  ScratchArrays arrays;
  const IndexRange channels = {0, s.out_channels};
  sums.AddScratch(arrays, channels);
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  sums.Prepare(channels, memory);
  sums.SumPart(part, x, dy);
  sums.Store(part, df);
  return absl::OkStatus();
}

}  // namespace staticflow
