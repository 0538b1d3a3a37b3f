// Hash buckets of strings. Values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    StringToHashBucketFast,
    {
        {.name = "all lengths",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{4611686018427387904}}},
         .want = {T<int64_t>({1936946117179621455, 1366698271136253306, 2190563634351826419, 398699863598724093,
                              3813857490243172005, 4268079096047479687, 491173507650915335,  924466740769925203,
                              2211771481730107783, 4420331505753548199, 4320848957565769301, 550333784831045053,
                              2090655887396268341, 259718955123041107,  3916272259504149090, 3629877152734163926,
                              2639770105784355366, 3896529580927612468, 2466080572647724315, 1547776883414273765,
                              218561174912165303,  1868662822249638550, 1816646599179969015, 1972181960068443334,
                              3687471931348892727, 4355310374820137732})}},
        {.name = "few buckets",
         .inputs = {M<std::string>({{"a", "b"}, {"c", std::string("\303\244\000", 3)}})},
         .attrs = {{"num_buckets", int64_t{7}}},
         .want = {M<int64_t>({{5, 2}, {5, 3}})}},
        {.name = "empty",
         .inputs = {T<std::string>({})},
         .attrs = {{"num_buckets", int64_t{1}}},
         .want = {T<int64_t>({})}},
        {.name = "no buckets",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{0}}},
         .want_error = "num_buckets"},
    });

INSTANTIATE_OP_TEST(
    StringToHashBucket,
    {
        {.name = "all lengths",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{4611686018427387904}}},
         .want = {T<int64_t>({105434511174508091,  2156828484950836906, 222333180050931635,  4044726628216484587,
                              1607844577577912813, 249932044799380874,  3350161390323024880, 3484221793185603435,
                              881884595942595069,  1822175103512724028, 436177175344453969,  1141015760371023657,
                              76780117291459076,   3529305546435135272, 1700625802025589464, 283173735709869071,
                              487216549291835454,  3227936671411819739, 4207647239332863630, 2547868794347758646,
                              3962548587379283160, 3489222662416935771, 2179329139857387072, 3705086466877217963,
                              1028311955505293419, 4525490889674489423})}},
        {.name = "few buckets",
         .inputs = {M<std::string>({{"a", "b"}, {"c", std::string("\303\244\000", 3)}})},
         .attrs = {{"num_buckets", int64_t{7}}},
         .want = {M<int64_t>({{4, 5}, {2, 4}})}},
        {.name = "empty",
         .inputs = {T<std::string>({})},
         .attrs = {{"num_buckets", int64_t{1}}},
         .want = {T<int64_t>({})}},
        {.name = "no buckets",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{0}}},
         .want_error = "num_buckets"},
    });

INSTANTIATE_OP_TEST(
    StringToHashBucketStrong,
    {
        {.name = "all lengths",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{4611686018427387904}}, {"key", std::vector<int64_t>{123456789012345, -7}}},
         .want = {T<int64_t>({3760170072123109747, 204309655314700180,  3505793853050366539, 3002670464004985312,
                              1531210869005913554, 1455248521711430209, 2896514191080201448, 4267019920563076404,
                              2205889281710426545, 2721594947458431777, 2685013659087992328, 3560922541052891687,
                              438379954308052793,  3772404432403391502, 150280759831336652,  1499062019994894037,
                              2461415179383252960, 1318008642746292601, 3751797364825340940, 2238232918435523531,
                              4080836990766422188, 2910279750779573713, 760211433705616553,  3863945519289360091,
                              3297642018929388496, 3010750903503821657})}},
        {.name = "few buckets",
         .inputs = {M<std::string>({{"a", "b"}, {"c", std::string("\303\244\000", 3)}})},
         .attrs = {{"num_buckets", int64_t{7}}, {"key", std::vector<int64_t>{123456789012345, -7}}},
         .want = {M<int64_t>({{2, 1}, {6, 1}})}},
        {.name = "empty",
         .inputs = {T<std::string>({})},
         .attrs = {{"num_buckets", int64_t{1}}, {"key", std::vector<int64_t>{123456789012345, -7}}},
         .want = {T<int64_t>({})}},
        {.name = "no buckets",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{0}}, {"key", std::vector<int64_t>{123456789012345, -7}}},
         .want_error = "num_buckets"},
        {.name = "key of one",
         .inputs = {T<std::string>(
             {"",
              "T",
              "Th",
              "The",
              "The ",
              "The qui",
              "The quic",
              "The quick",
              "The quick br",
              "The quick brown",
              "The quick brown ",
              "The quick brown f",
              "The quick brown fox jump",
              "The quick brown fox jumps over ",
              "The quick brown fox jumps over t",
              "The quick brown fox jumps over th",
              "The quick brown fox jumps over the lazy dog, twi",
              "The quick brown fox jumps over the lazy dog, twice and once aga",
              "The quick brown fox jumps over the lazy dog, twice and once agai",
              "The quick brown fox jumps over the lazy dog, twice and once again",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: 0123",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstu",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuv",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvw",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
              "The quick brown fox jumps over the lazy dog, twice and once again, until every length was seen: "
              "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"})},
         .attrs = {{"num_buckets", int64_t{3}}, {"key", std::vector<int64_t>{1}}},
         .want_error = "key of 2"},
    });

}  // namespace
}  // namespace staticflow
