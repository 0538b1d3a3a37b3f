// ParseExample, DecodeCSV, SerializeTensor. Values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    ParseExample,
    {
        {.name = "dense and sparse",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33),
                         std::string("\012&\012\021\012\001x\022\014\022\012\012\010\000\000\000?\000\000\200>"
                                     "\012\005\012\001e\022\000\012\012\012\001s\022\005\012\003\012\001z",
                                     40),
                         std::string("\012 "
                                     "\012\021\012\001x\022\014\022\012\015\000\000\020A\015\000\000\000A\012\013\012"
                                     "\001n\022\006\032\004\010\002\010\005",
                                     34)}),
                    T<std::string>({}), Tensor("n"), Tensor("s"), Tensor("x"), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64, DT_STRING}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{2}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 0}, {3, 0}, {3, 1}}), M<int64_t>({{0, 0}, {0, 1}, {2, 0}}),
                  T<int64_t>({7, -1, 300, 5, 2, 5}), T<std::string>({"ab", "", "z"}), T<int64_t>({4, 3}),
                  T<int64_t>({4, 2}), M({{1.5, -2}, {3, 4}, {0.5, 0.25}, {9, 8}})}},
        {.name = "defaults",
         .inputs = {T<std::string>(
                        {std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33),
                         std::string("\012&\012\021\012\001x\022\014\022\012\012\010\000\000\000?\000\000\200>"
                                     "\012\005\012\001e\022\000\012\012\012\001s\022\005\012\003\012\001z",
                                     40)}),
                    T<std::string>({}), Tensor("s"), Tensor("n"), Tensor("x"), T<int64_t>({9}), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_STRING}},
                   {"dense_shapes", std::vector<Shape>{Shape({1}), Shape({2, 1})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{2}},
                   {"Tdense", std::vector<DataType>{DT_INT64, DT_FLOAT}}},
         .want = {M<int64_t>({{1, 0}}), T<std::string>({"z"}), T<int64_t>({2, 1}), M<int64_t>({{5}, {9}}),
                  T({2, 2, 1}, {3, 4, 0.5, 0.25})}},
        {.name = "variable length",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33),
                         std::string("\012&\012\021\012\001x\022\014\022\012\012\010\000\000\000?\000\000\200>"
                                     "\012\005\012\001e\022\000\012\012\012\001s\022\005\012\003\012\001z",
                                     40)}),
                    T<std::string>({}), Tensor("x"), Tensor("n"), T<int64_t>({0})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_FLOAT}},
                   {"dense_shapes", std::vector<Shape>{Shape({-1})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_INT64}}},
         .want = {M<int64_t>({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}), T({1.5, -2, 3, 4, 0.5, 0.25}),
                  T<int64_t>({3, 2}), M<int64_t>({{7, -1, 300}, {5, 0, 0}, {0, 0, 0}})}},
        {.name = "variable rows",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33)}),
                    T<std::string>({}), Tensor("n"), Tensor("x"), Tensor("s"), T({-1}), T<std::string>({"-"})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({-1, 2}), Shape({-1})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{2}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT, DT_STRING}}},
         .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 0}}), T<int64_t>({7, -1, 300, 5}), T<int64_t>({2, 3}),
                  T({2, 1, 2}, {1.5, -2, 3, 4}), M<std::string>({{"ab", ""}, {"-", "-"}})}},
        {.name = "no examples",
         .inputs = {T<std::string>({}), T<std::string>({}), Tensor("n"), Tensor("x"), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want = {T<int64_t>({0, 2}, {}), T<int64_t>({}), T<int64_t>({0, 0}), T({0, 2}, {})}},
        {.name = "missing",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33)}),
                    T<std::string>({}), Tensor("n"), Tensor("s"), T<std::string>({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_STRING}}},
         .want_error = "'s': it is missing"},
        {.name = "length",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33)}),
                    T<std::string>({}), Tensor("n"), Tensor("x"), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({3})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want_error = "2 values, expected 3"},
        {.name = "type",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60)}),
                    T<std::string>({}), Tensor("x"), Tensor("x"), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want_error = "expected int64"},
        {.name = "dense type",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60)}),
                    T<std::string>({}), Tensor("n"), Tensor("x"), T<int64_t>({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_INT64}}},
         .want_error = "expected int64"},
        {.name = "no example",
         .inputs = {T<std::string>({std::string("\377\377\377", 3)}), T<std::string>({}), Tensor("n"), Tensor("x"),
                    T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want_error = "no Example"},
        {.name = "cut",
         .inputs = {T<std::string>({std::string("\012:"
                                                "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377"
                                                "\377\377\377\001\254\002\012\021\012\001x\022\014\022\012\012\010\000"
                                                "\000\300?\000\000\000\300\012\015\012\001s\022\010\012\006\012\002a",
                                                57)}),
                    T<std::string>({}), Tensor("n"), Tensor("x"), T({})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_FLOAT}}},
         .want_error = "no Example"},
        {.name = "rows of two",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60)}),
                    T<std::string>({}), Tensor("x"), Tensor("n"), T<int64_t>({0})},
         .attrs = {{"sparse_types", std::vector<DataType>{DT_FLOAT}},
                   {"dense_shapes", std::vector<Shape>{Shape({-1, 2})}},
                   {"Nsparse", int64_t{1}},
                   {"Ndense", int64_t{1}},
                   {"Tdense", std::vector<DataType>{DT_INT64}}},
         .want_error = "no whole number"},
    });

INSTANTIATE_OP_TEST(
    ParseExampleV2,
    {
        {.name = "ragged",
         .inputs = {T<std::string>(
                        {std::string("\012:"
                                     "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377\377"
                                     "\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                     "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                     60),
                         std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                     "\022\012\012\010\000\000@@\000\000\200@",
                                     33),
                         std::string("\012&\012\021\012\001x\022\014\022\012\012\010\000\000\000?\000\000\200>"
                                     "\012\005\012\001e\022\000\012\012\012\001s\022\005\012\003\012\001z",
                                     40)}),
                    T<std::string>({}), T<std::string>({"s"}), T<std::string>({"x"}), T<std::string>({"n"}), T({})},
         .attrs = {{"num_sparse", int64_t{1}},
                   {"sparse_types", std::vector<DataType>{DT_STRING}},
                   {"ragged_value_types", std::vector<DataType>{DT_INT64}},
                   {"ragged_split_types", std::vector<DataType>{DT_INT32}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}}},
         .want = {M<int64_t>({{0, 0}, {0, 1}, {2, 0}}), T<std::string>({"ab", "", "z"}), T<int64_t>({3, 2}),
                  M({{1.5, -2}, {3, 4}, {0.5, 0.25}}), T<int64_t>({7, -1, 300, 5}), T<int32_t>({0, 3, 4, 4})}},
        {.name = "one example",
         .inputs = {Tensor(std::string("\012:"
                                       "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377"
                                       "\377\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                       "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                       60)),
                    T<std::string>({}), T<std::string>({"n"}), T<std::string>({"x"}), T<std::string>({"s"}), T({})},
         .attrs = {{"num_sparse", int64_t{1}},
                   {"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"ragged_value_types", std::vector<DataType>{DT_STRING}},
                   {"ragged_split_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}}},
         .want = {M<int64_t>({{0}, {1}, {2}}), T<int64_t>({7, -1, 300}), T<int64_t>({3}), T({1.5, -2}),
                  T<std::string>({"ab", ""}), T<int64_t>({})}},
        {.name = "keys",
         .inputs =
             {T<std::string>({std::string("\012:"
                                          "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377"
                                          "\377\377\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                          "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                          60)}),
              T<std::string>({}), T<std::string>({"s", "x"}), T<std::string>({"x"}), T<std::string>({"n"}), T({})},
         .attrs = {{"num_sparse", int64_t{1}},
                   {"sparse_types", std::vector<DataType>{DT_STRING}},
                   {"ragged_value_types", std::vector<DataType>{DT_INT64}},
                   {"ragged_split_types", std::vector<DataType>{DT_INT32}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}}},
         .want_error = "2 keys, expected 1"},
    });

INSTANTIATE_OP_TEST(
    ParseSingleExample,
    {
        {.name = "dense and sparse",
         .inputs = {Tensor(std::string("\012:"
                                       "\012\026\012\001n\022\021\032\017\012\015\007\377\377\377\377\377\377\377\377"
                                       "\377\001\254\002\012\021\012\001x\022\014\022\012\012\010\000\000\300?"
                                       "\000\000\000\300\012\015\012\001s\022\010\012\006\012\002ab\012\000",
                                       60)),
                    T({})},
         .attrs = {{"num_sparse", int64_t{2}},
                   {"sparse_keys", std::vector<std::string>{"n", "s"}},
                   {"dense_keys", std::vector<std::string>{"x"}},
                   {"sparse_types", std::vector<DataType>{DT_INT64, DT_STRING}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}}},
         .want = {M<int64_t>({{0}, {1}, {2}}), M<int64_t>({{0}, {1}}), T<int64_t>({7, -1, 300}),
                  T<std::string>({"ab", ""}), T<int64_t>({3}), T<int64_t>({2}), T({1.5, -2})}},
        {.name = "missing",
         .inputs = {Tensor(std::string("\012\037\012\012\012\001n\022\005\032\003\012\001\005\012\021\012\001x\022\014"
                                       "\022\012\012\010\000\000@@\000\000\200@",
                                       33)),
                    T<std::string>({})},
         .attrs = {{"num_sparse", int64_t{1}},
                   {"sparse_keys", std::vector<std::string>{"n"}},
                   {"dense_keys", std::vector<std::string>{"s"}},
                   {"sparse_types", std::vector<DataType>{DT_INT64}},
                   {"dense_shapes", std::vector<Shape>{Shape({2})}}},
         .want_error = "'s': it is missing"},
    });

INSTANTIATE_OP_TEST(
    DecodeCSV,
    {
        {.name = "three columns",
         .inputs = {T<std::string>({"1,2.5,x", "-7,,\"a,\"\"b\"\"\"", ",3e2,"}), T<int32_t>({-1}), T({1.5}),
                    T<std::string>({"d"})},
         .want = {T<int32_t>({1, -7, -1}), T({2.5, 1.5, 300}), T<std::string>({"x", "a,\"b\"", "d"})}},
        {.name = "wide types",
         .inputs = {T<std::string>({"9999999999|0.1"}), T<int64_t>({}), T<double>({})},
         .attrs = {{"field_delim", "|"}},
         .want = {T<int64_t>({9999999999}), T<double>({0.1})}},
        {.name = "no quotes",
         .inputs = {T<std::string>({"\"a\",b"}), T<std::string>({"d"}), T<std::string>({"d"})},
         .attrs = {{"use_quote_delim", false}},
         .want = {T<std::string>({"\"a\""}), T<std::string>({"b"})}},
        {.name = "na",
         .inputs = {T<std::string>({"NA,1"}), T<int32_t>({-1}), T<int32_t>({-1})},
         .attrs = {{"na_value", "NA"}},
         .want = {T<int32_t>({-1}), T<int32_t>({1})}},
        {.name = "some columns",
         .inputs = {T<std::string>({"1,2,3,4"}), T<int32_t>({-1}), T<int32_t>({-1})},
         .attrs = {{"select_cols", std::vector<int64_t>{1, 3}}},
         .want = {T<int32_t>({2}), T<int32_t>({4})}},
        {.name = "matrix",
         .inputs = {M<std::string>({{"1"}, {"2"}}), T<int32_t>({-1})},
         .want = {M<int32_t>({{1}, {2}})}},
        {.name = "line end in quotes",
         .inputs = {T<std::string>({std::string("\042a\012b\042,1", 7)}), T<std::string>({"d"}), T<int32_t>({-1})},
         .want = {T<std::string>({std::string("a\012b", 3)}), T<int32_t>({1})}},
        {.name = "delimiter at the end",
         .inputs = {T<std::string>({"1,"}), T<int32_t>({-1}), T<std::string>({"d"})},
         .want = {T<int32_t>({1}), T<std::string>({"d"})}},
        {.name = "fields",
         .inputs = {T<std::string>({"1,2,3"}), T<int32_t>({-1}), T<int32_t>({-1})},
         .want_error = "3 fields, expected 2"},
        {.name = "missing",
         .inputs = {T<std::string>({",1"}), T<int32_t>({}), T<int32_t>({-1})},
         .want_error = "field 0 is missing"},
        {.name = "number",
         .inputs = {T<std::string>({"x,1"}), T<int32_t>({-1}), T<int32_t>({-1})},
         .want_error = "field 0 is no int32: 'x'"},
        {.name = "too large",
         .inputs = {T<std::string>({"99999999999"}), T<int32_t>({-1})},
         .want_error = "field 0 is no int32"},
        {.name = "open quotes",
         .inputs = {T<std::string>({"\"a"}), T<std::string>({"d"})},
         .want_error = "closing quotation mark"},
        {.name = "quote inside", .inputs = {T<std::string>({"a\"b"}), T<std::string>({"d"})}, .want_error = "inside"},
        {.name = "columns",
         .inputs = {T<std::string>({"1,2"}), T<int32_t>({-1})},
         .attrs = {{"select_cols", std::vector<int64_t>{2}}},
         .want_error = "fields, expected 3"},
        {.name = "two defaults",
         .inputs = {T<std::string>({"1"}), T<int32_t>({1, 2})},
         .want_error = "at most one element"},
    });

INSTANTIATE_OP_TEST(
    SerializeTensor,
    {
        {.name = "floats",
         .inputs = {T({1.5, 2})},
         .want = {Tensor(std::string("\010\001\022\004\022\002\010\002\042\010\000\000\300?\000\000\000@", 18))},
         .check_gradient = false},
    });

INSTANTIATE_OP_TEST(ParseTensor,
                    {
                        {.name = "matrix",
                         .inputs = {Tensor(std::string("\010\003\022\010\022\002\010\002\022\002\010\002\042\020\001"
                                                       "\000\000\000\002\000\000\000\003\000\000\000\004\000\000\000",
                                                       30))},
                         .attrs = {{"out_type", DT_INT32}},
                         .want = {M<int32_t>({{1, 2}, {3, 4}})}},
                        {.name = "strings",
                         .inputs = {Tensor(std::string("\010\007\022\004\022\002\010\002B\001aB\002bc", 15))},
                         .attrs = {{"out_type", DT_STRING}},
                         .want = {T<std::string>({"a", "bc"})}},
                        {.name = "type",
                         .inputs = {Tensor(std::string("\010\003\022\010\022\002\010\002\022\002\010\002\042\020\001"
                                                       "\000\000\000\002\000\000\000\003\000\000\000\004\000\000\000",
                                                       30))},
                         .attrs = {{"out_type", DT_FLOAT}},
                         .want_error = "the tensor is int32, expected float"},
                        {.name = "no tensor",
                         .inputs = {Tensor(std::string("\377\377", 2))},
                         .attrs = {{"out_type", DT_FLOAT}},
                         .want_error = "TensorProto"},
                    });

}  // namespace
}  // namespace staticflow
