// IDX files, the format of MNIST and its relatives, plain or compressed with gzip (told by content, not by name).
//
//   SF_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(PosixEnv(), "train-images-idx3-ubyte.gz"));
//   images.dims is {60000, 28, 28}, images.dtype is DT_UINT8, images.bytes has 47040000 bytes
//
//   file  =  0 | 0 | type: uint8 | rank: uint8 | dims: big-endian uint32... | values, big-endian, row-major
#ifndef STATICFLOW_RUNTIME_IO_IDX_H_
#define STATICFLOW_RUNTIME_IO_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/dtype.h"
#include "runtime/io/env.h"

namespace staticflow {

struct IdxArray {
  DataType dtype = DT_INVALID;  // uint8, int8, int16, int32, float or double
  std::vector<int64_t> dims;
  std::string bytes;  // row-major, in this machine's byte order
};

struct IdxOptions {
  uint64_t max_bytes = uint64_t{4} << 30;  // of the file as stored, and of the values
};

// Errors name the file and what was expected: DataLoss for a file that is cut, too long, has a wrong magic number or
// fails gzip's checksum; ResourceExhausted beyond the limit. The size that the header declares is checked against the
// file (plain) or the limit (gzip) before memory is taken.
absl::StatusOr<IdxArray> ReadIdx(Env* env, const std::string& path, const IdxOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_IDX_H_
