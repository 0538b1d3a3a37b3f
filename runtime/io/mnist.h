// MNIST and the data sets that share its form (Fashion-MNIST, KMNIST): four IDX files in a directory, plain or .gz.
//
//   SF_ASSIGN_OR_RETURN(Mnist mnist, LoadMnist(PosixEnv(), "/usr/share/datasets/fashion-mnist"));
//   auto [validation, train] = mnist.train.Split(5000);      // as TF1's read_data_sets does
#ifndef STATICFLOW_RUNTIME_IO_MNIST_H_
#define STATICFLOW_RUNTIME_IO_MNIST_H_

#include <string>

#include "absl/status/statusor.h"
#include "runtime/io/dataset.h"
#include "runtime/io/env.h"

namespace staticflow {

struct MnistOptions {
  bool one_hot = true;  // labels as float[n,num_classes] of 0 and 1, else int64[n]
  bool flatten = true;  // images as [n,784], else [n,28,28,1]
  int num_classes = 10;
};

// Component 0 holds the images, float in [0,1]; component 1 the labels.
struct Mnist {
  DataSet train;  // of train-images-idx3-ubyte and train-labels-idx1-ubyte
  DataSet test;   // of t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte
};

// NotFound, naming the file, when one is missing with and without ".gz"; DataLoss for damaged files, for files that
// do not fit together and for labels beyond the classes.
absl::StatusOr<Mnist> LoadMnist(Env* env, const std::string& dir, const MnistOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_MNIST_H_
