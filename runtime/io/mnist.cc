#include "runtime/io/mnist.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/idx.h"

namespace staticflow {
namespace {

// Reads `name` or `name`.gz of unsigned bytes with `rank` dimensions; `path` receives which.
absl::StatusOr<IdxArray> ReadBytes(Env* env, const std::string& dir, const std::string& name, size_t rank,
                                   std::string* path) {
  *path = JoinPath(dir, name);
  SF_ASSIGN_OR_RETURN(const bool plain, env->FileExists(*path));
  if (!plain) {
    SF_ASSIGN_OR_RETURN(const bool compressed, env->FileExists(*path + ".gz"));
    if (!compressed) return absl::NotFoundError(absl::StrCat(*path, ": no such file, with or without .gz"));
    *path += ".gz";
  }
  SF_ASSIGN_OR_RETURN(IdxArray array, ReadIdx(env, *path));
  if (array.dtype != DT_UINT8 || array.dims.size() != rank)
    return absl::DataLossError(absl::StrCat(*path, ": expected uint8 values of rank ", rank, ", the file has ",
                                            DataTypeName(array.dtype), " of rank ", array.dims.size()));
  return array;
}

absl::StatusOr<Tensor> Images(const IdxArray& array, bool flatten) {
  Shape shape = {array.dims[0]};
  if (flatten) {
    shape.push_back(MultiplySizes(array.dims[1], array.dims[2]));
  } else {
    for (int64_t size : {array.dims[1], array.dims[2], int64_t{1}}) shape.push_back(size);
  }
  SF_ASSIGN_OR_RETURN(Tensor images, Tensor::Create(DT_FLOAT, shape));
  float* to = images.data<float>();
  // TF1's read_data_sets multiplies by the float nearest to 1/255.
  for (char value : array.bytes) *to++ = static_cast<float>(static_cast<unsigned char>(value)) * (1.0f / 255.0f);
  return images;
}

absl::StatusOr<Tensor> Labels(const IdxArray& array, const std::string& path, const MnistOptions& options) {
  const int64_t n = array.dims[0];
  SF_ASSIGN_OR_RETURN(Tensor labels, options.one_hot ? Tensor::Create(DT_FLOAT, {n, options.num_classes})
                                                     : Tensor::Create(DT_INT64, {n}));
  for (int64_t i = 0; i < n; ++i) {
    const int label = static_cast<unsigned char>(array.bytes[static_cast<size_t>(i)]);
    if (label >= options.num_classes)
      return absl::DataLossError(
          absl::StrCat(path, ": label ", label, " of row ", i, " is beyond ", options.num_classes, " classes"));
    if (options.one_hot) {
      labels.data<float>()[i * options.num_classes + label] = 1;
    } else {
      labels.data<int64_t>()[i] = label;
    }
  }
  return labels;
}

absl::StatusOr<DataSet> LoadPart(Env* env, const std::string& dir, const std::string& part,
                                 const MnistOptions& options) {
  std::string images_path, labels_path;
  SF_ASSIGN_OR_RETURN(const IdxArray images, ReadBytes(env, dir, part + "-images-idx3-ubyte", 3, &images_path));
  SF_ASSIGN_OR_RETURN(const IdxArray labels, ReadBytes(env, dir, part + "-labels-idx1-ubyte", 1, &labels_path));
  if (images.dims[0] != labels.dims[0])
    return absl::DataLossError(absl::StrCat(images_path, " has ", images.dims[0], " images, ", labels_path, " has ",
                                            labels.dims[0], " labels"));
  SF_ASSIGN_OR_RETURN(Tensor image_tensor, Images(images, options.flatten));
  SF_ASSIGN_OR_RETURN(Tensor label_tensor, Labels(labels, labels_path, options));
  return DataSet::Create({std::move(image_tensor), std::move(label_tensor)});
}

}  // namespace

absl::StatusOr<Mnist> LoadMnist(Env* env, const std::string& dir, const MnistOptions& options) {
  if (options.num_classes < 1)
    return absl::InvalidArgumentError(absl::StrCat("num_classes is ", options.num_classes, ", expected at least 1"));
  Mnist mnist;
  SF_ASSIGN_OR_RETURN(mnist.train, LoadPart(env, dir, "train", options));
  SF_ASSIGN_OR_RETURN(mnist.test, LoadPart(env, dir, "t10k", options));
  return mnist;
}

}  // namespace staticflow
