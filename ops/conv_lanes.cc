#include "ops/conv_lanes.h"

#include <algorithm>
#include <array>

#include "graph/status.h"
#include "ops/conv_scratch.h"
#include "runtime/conv_lanes.h"

namespace staticflow {
namespace {

// Pictures with few others in their vector would be a waste.
constexpr int64_t kMinBatch = 12;
// 16 pictures with their results, which should not be far beyond what a second-level cache holds.
constexpr int64_t kMaxLaneBytes = int64_t{4} << 20;
// The filter is read once per row of a picture.
constexpr int64_t kMaxFilterElements = int64_t{1} << 18;
constexpr int64_t kMaxTaps = 128;
constexpr int64_t kMinProducts = 64;

// How the elements of a picture lie in a tensor.
struct PictureLayout {
  int64_t channels = 0;
  int64_t elements = 0;
  int64_t pixel_step = 0;  // elements from one pixel to the next
  int64_t channel_step = 0;

  PictureLayout(int64_t pixels, int64_t picture_channels, bool channels_first)
      : channels(picture_channels), elements(pixels * channels) {
    const bool planes = channels_first && channels > 1;
    pixel_step = planes ? 1 : channels;
    channel_step = planes ? pixels : 1;
  }
  // Of 16 pictures in lanes.
  int64_t lane_floats() const { return elements * kConvLanes; }
};

// Neighbours among the sources of one target: sources first, first + 1, ... meet taps tap, tap + 1, ...
struct Meeting {
  int64_t source = 0;
  int64_t tap = 0;
  int64_t count = 0;
};

// Which sources each target of one dimension adds up, and by which taps, in the order of both.
class Reach {
 public:
  // Forwards from the picture to the windows, or backwards, where taps are counted from the last one.
  Reach(const WindowDim& dim, bool backwards, bool merge)
      : dim_(dim), backwards_(backwards), merge_(merge), targets_(backwards ? dim.in : dim.out) {}

  void AddScratch(ScratchArrays& arrays) {
    begin_array_ = arrays.Add<int64_t>(AddSizes(targets_, 1));
    meeting_array_ = arrays.Add<Meeting>(MultiplySizes(targets_, dim_.window));
  }
  void SetScratch(char* memory) {
    begin_ = begin_array_.in(memory);
    meetings_ = meeting_array_.in(memory);
    int64_t size = 0;
    for (int64_t target = 0; target < targets_; ++target) {
      begin_[target] = size;
      for (int64_t tap = 0; tap < dim_.window; ++tap) {
        const int64_t source = backwards_ ? SourceBackwards(target, dim_.window - 1 - tap)
                                          : target * dim_.stride + tap * dim_.dilation - dim_.before;
        if (source < 0 || source >= (backwards_ ? dim_.out : dim_.in)) continue;
        Meeting* last = size > begin_[target] ? &meetings_[size - 1] : nullptr;
        if (merge_ && last != nullptr && last->source + last->count == source && last->tap + last->count == tap) {
          ++last->count;
        } else {
          meetings_[size++] = {source, tap, 1};
        }
      }
    }
    begin_[targets_] = size;
  }
  absl::Span<const Meeting> of(int64_t target) const {
    return absl::MakeConstSpan(meetings_ + begin_[target], begin_[target + 1] - begin_[target]);
  }

 private:
  int64_t SourceBackwards(int64_t target, int64_t tap) const {
    const int64_t distance = target + dim_.before - tap * dim_.dilation;
    return distance >= 0 && distance % dim_.stride == 0 ? distance / dim_.stride : -1;
  }

  const WindowDim& dim_;
  const bool backwards_;
  const bool merge_;
  const int64_t targets_;
  ScratchArray<int64_t> begin_array_;
  ScratchArray<Meeting> meeting_array_;
  int64_t* begin_ = nullptr;
  Meeting* meetings_ = nullptr;
};

// Whether two targets meet the same taps, with sources equally far apart.
bool Follows(absl::Span<const Meeting> a, absl::Span<const Meeting> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].tap != b[i].tap || a[i].source - b[i].source != a[0].source - b[0].source) return false;
  }
  return true;
}

// The convolution from x to y, or, with the filter turned round, from dy to dx.
class LaneConvolution {
 public:
  LaneConvolution(const ConvShape& s, bool backwards)
      : s_(s),
        source_size_(backwards ? s.out_size() : s.in_size()),
        target_size_(backwards ? s.in_size() : s.out_size()),
        source_(backwards ? s.out_pixels() : s.in_pixels(), backwards ? s.out_channels : s.in_channels,
                s.channels_first),
        target_(backwards ? s.in_pixels() : s.out_pixels(), backwards ? s.in_channels : s.out_channels,
                s.channels_first),
        merge_(s.groups == 1 && source_.channel_step == 1),
        reach_{Reach(s.dims[0], backwards, false), Reach(s.dims[1], backwards, false),
               Reach(s.dims[2], backwards, merge_)} {}

  void AddScratch(ScratchArrays& arrays) {
    for (Reach& reach : reach_) reach.AddScratch(arrays);
    runs_ = arrays.Add<ConvRun>(MultiplySizes(columns(), s_.taps()));
    ends_ = arrays.Add<int64_t>(columns());
    lanes_ = arrays.Add<float>(2 * source_.lane_floats());
    row_ = arrays.Add<float>(2 * row_floats());
  }
  void SetScratch(char* memory) {
    for (Reach& reach : reach_) reach.SetScratch(memory);
    memory_ = memory;
  }

  // filter: [taps, source channels of a group, target channels], the taps in reverse order if backwards.
  void Run(const float* source, const float* filter, float* target, IndexRange images) {
    for (int64_t first = images.begin; first < images.end; first += 2 * kConvLanes) {
      const int64_t end = std::min(images.end, first + 2 * kConvLanes);
      float* lanes = lanes_.in(memory_);
      for (int64_t i = first; i < end; i += kConvLanes, lanes += source_.lane_floats()) {
        TransposeLanes({.source = source + i * source_.elements,
                        .source_step = source_.elements,
                        .rows = std::min<int64_t>(end - i, kConvLanes),
                        .columns = source_.elements,
                        .target = lanes,
                        .target_step = kConvLanes,
                        .fill = true});
      }
      for (int64_t r = 0; r < target_size_[0] * target_size_[1]; ++r) {
        ListRuns(r / target_size_[1], r % target_size_[1]);
        ComputeRow(filter, end - first > kConvLanes ? 2 : 1);
        StoreRow(r, target, {first, end});
      }
    }
  }

 private:
  int64_t columns() const { return target_size_[2]; }
  int64_t row_floats() const { return columns() * target_.channels * kConvLanes; }
  int64_t group_in() const { return source_.channels / s_.groups; }
  int64_t group_out() const { return target_.channels / s_.groups; }
  // Rows lie in lanes as they do in the tensor, pixel by pixel or channel by channel.
  int64_t row_pixel_step() const { return (target_.channel_step == 1 ? target_.channels : 1) * kConvLanes; }
  int64_t row_channel_step() const { return (target_.channel_step == 1 ? 1 : columns()) * kConvLanes; }

  // What each pixel of row h in slice d of the target adds up. Most rows do as the row before, further down.
  void ListRuns(int64_t d, int64_t h) {
    const absl::Span<const Meeting> depths = reach_[0].of(d), rows = reach_[1].of(h);
    if (listed_ && Follows(depths, depths_) && Follows(rows, rows_)) {
      const int64_t slices = depths.empty() ? 0 : depths[0].source - depths_[0].source;
      const int64_t lines = rows.empty() ? 0 : rows[0].source - rows_[0].source;
      shift_ = (slices * source_size_[1] + lines) * source_size_[2] * source_.pixel_step * kConvLanes;
      return;
    }
    listed_ = true;
    depths_ = depths;
    rows_ = rows;
    shift_ = 0;
    ConvRun* run = runs_.in(memory_);
    const int64_t pixel = source_.pixel_step * kConvLanes, tap_floats = group_in() * target_.channels;
    for (int64_t w = 0; w < columns(); ++w) {
      for (const Meeting& depth : depths) {
        for (const Meeting& row : rows) {
          const int64_t line = (depth.source * source_size_[1] + row.source) * source_size_[2];
          const int64_t taps = (depth.tap * s_.dims[1].window + row.tap) * s_.dims[2].window;
          for (const Meeting& column : reach_[2].of(w)) {
            *run++ = {(line + column.source) * pixel, (taps + column.tap) * tap_floats, column.count * group_in()};
          }
        }
      }
      ends_.in(memory_)[w] = run - runs_.in(memory_);
    }
  }

  void ComputeRow(const float* filter, int vectors) {
    ConvSums sums = {.x_step = source_.channel_step * kConvLanes,
                     .w_step = target_.channels,
                     .y_step = row_channel_step(),
                     .vectors = vectors,
                     .x_vector_step = source_.lane_floats(),
                     .y_vector_step = row_floats()};
    const int64_t blocks = (group_out() + kMaxConvSums[vectors] - 1) / kMaxConvSums[vectors];
    for (int64_t g = 0; g < s_.groups; ++g) {
      sums.x = lanes_.in(memory_) + shift_ + g * group_in() * sums.x_step;
      for (int64_t b = 0; b < blocks; ++b) {
        const int64_t channel = g * group_out() + group_out() * b / blocks;
        sums.sums = static_cast<int>(g * group_out() + group_out() * (b + 1) / blocks - channel);
        sums.w = filter + channel;
        sums.runs = runs_.in(memory_);
        for (int64_t w = 0; w < columns(); ++w) {
          const ConvRun* end = runs_.in(memory_) + ends_.in(memory_)[w];
          sums.num_runs = end - sums.runs;
          sums.y = row_.in(memory_) + w * row_pixel_step() + channel * sums.y_step;
          AddConvRuns(sums);
          sums.runs = end;
        }
      }
    }
  }

  void StoreRow(int64_t row, float* target, IndexRange images) {
    const bool planes = target_.channel_step != 1;
    const int64_t pieces = planes ? target_.channels : 1;
    const int64_t length = columns() * (planes ? 1 : target_.channels);
    const float* lanes = row_.in(memory_);
    for (int64_t i = images.begin; i < images.end; i += kConvLanes, lanes += row_floats()) {
      for (int64_t p = 0; p < pieces; ++p) {
        TransposeLanes({.source = lanes + p * row_channel_step(),
                        .source_step = kConvLanes,
                        .rows = length,
                        .columns = std::min<int64_t>(images.end - i, kConvLanes),
                        .target = target + i * target_.elements + row * length + p * target_.channel_step,
                        .target_step = target_.elements});
      }
    }
  }

  const ConvShape& s_;
  const std::array<int64_t, 3> source_size_, target_size_;
  const PictureLayout source_, target_;
  const bool merge_;  // pixels lie side by side, so neighbours are one run
  std::array<Reach, 3> reach_;
  ScratchArray<ConvRun> runs_;  // of a row's pixels
  ScratchArray<int64_t> ends_;  // of each pixel's runs
  ScratchArray<float> lanes_;   // the sources
  ScratchArray<float> row_;     // of the targets
  char* memory_ = nullptr;
  // The row that runs_ and ends_ were listed for, and how many floats further on the present one finds its vectors.
  bool listed_ = false;
  absl::Span<const Meeting> depths_, rows_;
  int64_t shift_ = 0;
};

// Whether any window has the tap within the picture.
bool IsMet(const ConvShape& s, int64_t tap) {
  for (int d = 2; d >= 0; tap /= s.dims[d].window, --d) {
    const IndexRange windows = WindowsOfTap(s.dims[d], tap % s.dims[d].window);
    if (windows.begin == windows.end) return false;
  }
  return true;
}

// turned: [taps, group_out, in_channels], the taps in reverse order, but for those that are never met.
void TurnFilter(const ConvShape& s, const float* filter, float* turned) {
  const int64_t taps = s.taps(), group_in = s.group_in(), group_out = s.group_out();
  for (int64_t t = 0; t < taps; ++t) {
    if (!IsMet(s, taps - 1 - t)) continue;
    for (int64_t g = 0; g < s.groups; ++g) {
      TransposeLanes({.source = filter + (taps - 1 - t) * group_in * s.out_channels + g * group_out,
                      .source_step = s.out_channels,
                      .rows = group_in,
                      .columns = group_out,
                      .target = turned + t * group_out * s.in_channels + g * group_in,
                      .target_step = s.in_channels});
    }
  }
}

// Whether a convolution by `products` terms to `channels` does.
bool FitsLanes(const ConvShape& s, int64_t products, int64_t channels) {
  if (!ConvLanesSupported() || s.batch < kMinBatch || s.taps() > kMaxTaps) return false;
  if (s.taps() == 1 && s.in_pixels() == s.out_pixels()) return false;  // one product of matrices
  const int64_t filter = MultiplySizes(MultiplySizes(s.taps(), s.group_in()), s.out_channels);
  const int64_t in = MultiplySizes(s.in_pixels(), s.in_channels), out = MultiplySizes(s.out_pixels(), s.out_channels);
  const int64_t bytes = MultiplySizes(AddSizes(in, out), kConvLanes * sizeof(float));
  // Products of matrices have full vectors too, and nothing to transpose.
  if (channels % kConvLanes == 0 && products < kMinProducts) return false;
  return filter > 0 && in > 0 && out > 0 && filter <= kMaxFilterElements && bytes <= kMaxLaneBytes;
}

}  // namespace

IndexRange WindowsOfTap(const WindowDim& dim, int64_t t) {
  const int64_t shift = dim.before - t * dim.dilation;  // window o meets source o * stride - shift
  const int64_t first = shift <= 0 ? 0 : (shift + dim.stride - 1) / dim.stride;
  const int64_t end = dim.in + shift <= 0 ? 0 : (dim.in + shift - 1) / dim.stride + 1;
  return {std::min(first, dim.out), std::max(std::min(first, dim.out), std::min(end, dim.out))};
}

bool ConvForwardFitsLanes(const ConvShape& s) { return FitsLanes(s, s.taps() * s.group_in(), s.out_channels); }

bool ConvBackpropInputFitsLanes(const ConvShape& s) { return FitsLanes(s, s.taps() * s.group_out(), s.in_channels); }

absl::Status ConvForwardLanes(KernelContext& c, const ConvShape& s, const float* x, const float* filter, float* y,
                              IndexRange images) {
  LaneConvolution convolution(s, false);
  ScratchArrays arrays;
  convolution.AddScratch(arrays);
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  convolution.SetScratch(memory);
  convolution.Run(x, filter, y, images);
  return absl::OkStatus();
}

absl::Status ConvBackpropInputLanes(KernelContext& c, const ConvShape& s, const float* filter, const float* dy,
                                    float* dx, IndexRange images) {
  LaneConvolution convolution(s, true);
  ScratchArrays arrays;
  convolution.AddScratch(arrays);
  const auto turned = arrays.Add<float>(s.taps() * s.group_in() * s.out_channels);
  SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
  convolution.SetScratch(memory);
  TurnFilter(s, filter, turned.in(memory));
  convolution.Run(dy, turned.in(memory), dx, images);
  return absl::OkStatus();
}

}  // namespace staticflow
