// Pictures of 64 x 64 x 3 in six classes: drawn here, or read from a folder.
//
//   SF_ASSIGN_OR_RETURN(Pictures pictures, DrawPictures({.train = 1080, .test = 120, .seed = 1}));
//   SF_ASSIGN_OR_RETURN(Pictures pictures, ReadPictures(PosixEnv(), "signs"));     // signs/0/*.ppm ... signs/5/*.ppm
//
// Drawn pictures show a hand with 0 to 5 fingers, which is the class; place, size, colours, turn and noise follow from
// the seed alone.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_PICTURES_H_
#define STATICFLOW_EXAMPLES_SUPPORT_PICTURES_H_

#include <string>

#include "absl/status/statusor.h"
#include "staticflow.h"

namespace staticflow {

constexpr int64_t kPictureSide = 64, kPictureClasses = 6;

struct Pictures {
  DataSet train;  // images [n, 64, 64, 3] in [0, 1], one-hot labels [n, 6]
  DataSet test;
};

struct DrawPicturesOptions {
  int64_t train = 1080;
  int64_t test = 120;
  uint64_t seed = 1;
};
// InvalidArgument for less than one picture of a kind.
absl::StatusOr<Pictures> DrawPictures(const DrawPicturesOptions& options = {});

// The folders in `dir`, in the order of their names, are the classes, six at most; their files named *.ppm (binary,
// "P6", 64 x 64, at most 255) the pictures. Every tenth of a class is for the test.
// InvalidArgument for no or too many classes or pictures; DataLoss, naming it, for a file of another form.
absl::StatusOr<Pictures> ReadPictures(Env* env, const std::string& dir);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_PICTURES_H_
