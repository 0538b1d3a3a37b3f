// Reference values: TensorFlow 2.21.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    BesselI0,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({4.880793, 1.0404019, 1.0156863, 1.6467233, 67.23441, 18948.926})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({4.880792585865024, 1.040401783445435, 1.0156861412236076, 1.6467231897728907,
                          67.23440697647797, 18948.925349296307})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 1, 1.266066})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselI0e,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({0.24300039, 0.69740224, 0.7910173, 0.36743364, 0.16665745, 0.116426215})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({0.24300035416182536, 0.6974021672178645, 0.7910171621397191, 0.36743360905415834,
                          0.16665743263981658, 0.11642622121344044})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 1, 0.46575963})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselI1,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({-3.953371, -0.20402674, 0.12597913, 0.9816664, 61.341965, 18141.35})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({-3.9533702174026093, -0.20402675889461291, 0.12597910894546793, 0.9816664285779079,
                          61.34193677764021, 18141.348781638837})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.5651591})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselI1e,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({-0.19682676, -0.13676322, 0.09811264, 0.21903938, 0.15205152, 0.1114643})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({-0.19682671329730084, -0.13676322559956686, 0.09811262869736825, 0.21903938742092574,
                          0.1520514593085058, 0.11146429929018101})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.20791042})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselJ0,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({-0.2600519, 0.9603983, 0.984436, 0.5118277, 0.1506453, 0.04768924})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({-0.2600519549019335, 0.9603982254911542, 0.9844359292958529, 0.5118276717359181,
                          0.15064525725099695, 0.047689310796833355})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 1, 0.7651977})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselJ1,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
      .want = {T({-0.33905897, -0.19602658, 0.124025986, 0.55793655, -0.27668384, -0.2234471})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
      .want = {T<double>({-0.33905895852593654, -0.19602658075871465, 0.12402597732272692, 0.5579365079100997,
                          -0.27668385812756563, -0.22344710449062757})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.4400506})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselK0,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
      .want = {T({2.4270697, 0.9244191, 0.42102444, 0.062347557, 0.00042479578, 5.7412375e-10})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
      .want = {T<double>({2.427069010018645, 0.9244190712276663, 0.42102443824070823, 0.062347553200366196,
                          0.0004247957418692318, 5.741237815336523e-10})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, INFINITY, 0.42102444})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselK0e,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
      .want = {T({2.682327, 1.5241094, 1.1444631, 0.7595488, 0.46584514, 0.27854484})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
      .want = {T<double>({2.6823260900322365, 1.5241093857739103, 1.1444630798068947, 0.7595486903280997,
                          0.46584509609301583, 0.2785448766571822})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, INFINITY, 1.1444631})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselK1,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
      .want = {T({9.853845, 1.656441, 0.6019073, 0.07389082, 0.0004541825, 5.883058e-10})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
      .want = {T<double>({9.853844630420264, 1.6564411200033013, 0.6019072301972348, 0.07389081634774707,
                          0.0004541824868848969, 5.883057969557039e-10})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, INFINITY, 0.6019073})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselK1e,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
      .want = {T({10.890183, 2.7310095, 1.6361537, 0.90017444, 0.49807158, 0.28542548})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
      .want = {T<double>({10.89018253300399, 2.7310097082117863, 1.6361534862632587, 0.900174423907878,
                          0.49807157509547645, 0.2854254969407265})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, INFINITY, 1.6361537})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(BesselY0,
                    {{.name = "values",
                      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
                      .want = {T({-1.5342387, -0.44451872, 0.08825697, 0.49807036, -0.02594971, 0.06264072})},
                      .tolerance = 2e-5,
                      .second_order = true},
                     {.name = "double",
                      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
                      .want = {T<double>({-1.5342386417257798, -0.4445187335067066, 0.08825696421567697,
                                          0.498070359615232, -0.025949743967209254, 0.0626405968093837})},
                      .tolerance = 1e-6,
                      .check_gradient = false},
                     {.name = "special",
                      .inputs = {T({NAN, 0, 1})},
                      .want = {T({NAN, -INFINITY, 0.08825697})},
                      .check_gradient = false},
                     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    BesselY1,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7, 20})},
      .want = {T({-6.458951, -1.4714724, -0.7812128, 0.14591809, -0.30266723, -0.16551164})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7, 20})},
      .want = {T<double>({-6.458951000742351, -1.4714723926702433, -0.7812128213002888, 0.14591813796678577,
                          -0.3026672370241849, -0.16551161436252124})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, NAN, -0.7812128})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Dawsn, {{.name = "values",
             .inputs = {T({-3, -0.4, 0.25, 1.5, 6, 12})},
             .want = {T({-0.17827101, -0.3599435, 0.23983915, 0.4282491, 0.08454269, 0.041812878})},
             .tolerance = 2e-5,
             .second_order = true},
            {.name = "double",
             .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 6, 12})},
             .want = {T<double>({-0.17827103061055835, -0.3599434861790083, 0.2398391635628982, 0.42824907108539856,
                                 0.08454268897454385, 0.041812876453988256})},
             .tolerance = 1e-6,
             .check_gradient = false},
            {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.5380795})}, .check_gradient = false},
            {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    FresnelCos,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 1.7, 4})},
      .want = {T({-0.60572076, -0.3974808, 0.24975914, 0.4452612, 0.32382685, 0.49842608})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 1.7000000476837158, 4})},
      .want = {T<double>({-0.6057207892976857, -0.39748076494556495, 0.2497591503565432, 0.44526117603982157,
                          0.32382686780568787, 0.49842603303817756})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.7798934})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    FresnelSin,
    {{.name = "values",
      .inputs = {T({-3, -0.4, 0.25, 1.5, 1.7, 4})},
      .want = {T({-0.496313, -0.03335943, 0.008175599, 0.6975049, 0.5491959, 0.42051578})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({-3, -0.4000000059604645, 0.25, 1.5, 1.7000000476837158, 4})},
      .want = {T<double>({-0.49631299896737496, -0.03335943414292044, 0.008175600235777757, 0.697504960082093,
                          0.5491958933478943, 0.42051575424692844})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, 0.43825912})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Expint,
    {{.name = "values",
      .inputs = {T({0.1, 0.5, 1, 2.5, 7})},
      .want = {T({-1.6228129, 0.45421982, 1.8951179, 7.0737658, 191.50476})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.10000000149011612, 0.5, 1, 2.5, 7})},
      .want = {T<double>({-1.6228127975009468, 0.45421990486317354, 1.895117816355937, 7.073765894578601,
                          191.50474333550136})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, -INFINITY, 1.8951179})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Spence, {{.name = "values",
              .inputs = {T({0.1, 0.5, 1.25, 2.5, 7, 20})},
              .want = {T({1.2997148, 0.58224034, -0.2359003, -1.1473808, -3.089942, -5.9278398})},
              .tolerance = 2e-5,
              .second_order = true},
             {.name = "double",
              .inputs = {T<double>({0.10000000149011612, 0.5, 1.25, 2.5, 7, 20})},
              .want = {T<double>({1.299714719192604, 0.5822405264650135, -0.23590029768626344, -1.1473806603755703,
                                  -3.089942051088032, -5.927839724376521})},
              .tolerance = 1e-6,
              .check_gradient = false},
             {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 1.644934, 0})}, .check_gradient = false},
             {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Erfinv, {{.name = "values",
              .inputs = {T({-0.9, -0.3, 0.001, 0.5, 0.7, 0.99})},
              .want = {T({-1.1630871, -0.27246273, 0.0008862685, 0.4769363, 0.732869, 1.8213865})},
              .tolerance = 2e-5,
              .second_order = true},
             {.name = "double",
              .inputs = {T<double>({-0.8999999761581421, -0.30000001192092896, 0.0010000000474974513, 0.5,
                                    0.699999988079071, 0.9900000095367432})},
              .want = {T<double>({-1.1630870719457722, -0.2724627261055238, 0.0008862271995601055, 0.4769362762044699,
                                  0.732869059882759, 1.8213866009002775})},
              .tolerance = 1e-6,
              .check_gradient = false},
             {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, 0, INFINITY})}, .check_gradient = false},
             {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Ndtri,
    {{.name = "values",
      .inputs = {T({0.02, 0.2, 0.3, 0.5, 0.7, 0.99})},
      .want = {T({-2.053749, -0.8416212, -0.5244005, 0, 0.5244005, 2.3263483})},
      .tolerance = 2e-5,
      .second_order = true},
     {.name = "double",
      .inputs = {T<double>({0.019999999552965164, 0.20000000298023224, 0.30000001192092896, 0.5, 0.699999988079071,
                            0.9900000095367432})},
      .want = {T<double>({-2.053748919864621, -0.84162122292778, -0.5244004784222137, 0, 0.5244004784222137,
                          2.3263482318637534})},
      .tolerance = 1e-6,
      .check_gradient = false},
     {.name = "special", .inputs = {T({NAN, 0, 1})}, .want = {T({NAN, -INFINITY, INFINITY})}, .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2}, {})}, .want = {T({0, 2}, {})}, .check_gradient = false}});

INSTANTIATE_OP_TEST(Igamma, {{.name = "values",
                              .inputs = {T({0.5, 1, 3, 10, 2}), T({0.2, 3, 2.5, 12, 0.01})},
                              .want = {T({0.47291067, 0.95021296, 0.45618692, 0.7576076, 4.9667895e-05})},
                              .tolerance = 2e-5},
                             {.name = "broadcast",
                              .inputs = {M({{1}, {2}}), T({0.5, 1.5, 4})},
                              .want = {M({{0.39346936, 0.77686983, 0.9816844}, {0.09020401, 0.44217455, 0.9084218}})},
                              .tolerance = 2e-5},
                             {.name = "edges",
                              .inputs = {T({1, 0, -1, 2}), T({0, 1, 1, -1})},
                              .want = {T({0, NAN, NAN, NAN})},
                              .check_gradient = false}});

INSTANTIATE_OP_TEST(Igammac, {{.name = "values",
                               .inputs = {T({0.5, 1, 3, 10, 2}), T({0.2, 3, 2.5, 12, 0.01})},
                               .want = {T({0.52708936, 0.04978707, 0.5438131, 0.24239245, 0.99995035})},
                               .tolerance = 2e-5},
                              {.name = "broadcast",
                               .inputs = {M({{1}, {2}}), T({0.5, 1.5, 4})},
                               .want = {M({{0.60653067, 0.22313017, 0.01831564}, {0.909796, 0.55782545, 0.0915782}})},
                               .tolerance = 2e-5},
                              {.name = "edges",
                               .inputs = {T({1, 0, -1, 2}), T({0, 1, 1, -1})},
                               .want = {T({1, NAN, NAN, NAN})},
                               .check_gradient = false}});

INSTANTIATE_OP_TEST(IgammaGradA, {{.name = "values",
                                   .inputs = {T({0.5, 1, 3, 10, 2}), T({0.2, 3, 2.5, 12, 0.01})},
                                   .want = {T({-0.8201613, -0.09648295, -0.24711739, -0.09717809, -0.0002746171})},
                                   .tolerance = 2e-5}});

INSTANTIATE_OP_TEST(RandomGammaGrad, {{.name = "values",
                                       .inputs = {T({0.5, 1, 3, 10, 2}), T({0.2, 3, 2.5, 12, 0.01})},
                                       .want = {T({0.79405046, 1.937912, 0.9633619, 1.1123295, 0.027737714})},
                                       .tolerance = 5e-5}});

INSTANTIATE_OP_TEST(Betainc,
                    {{.name = "values",
                      .inputs = {T({0.5, 2, 5}), T({1, 3, 0.5}), T({0.2, 0.5, 0.9})},
                      .want = {T({0.44721356, 0.6875, 0.31664294})},
                      .tolerance = 2e-5,
                      .gradient_inputs = {2},
                      .second_order = true},
                     {.name = "scalars",
                      .inputs = {Tensor(2.0f), Tensor(3.0f), T({0.1, 0.6})},
                      .want = {T({0.0523, 0.82079995})},
                      .tolerance = 2e-5,
                      .gradient_inputs = {2}},
                     {.name = "edges",
                      .inputs = {T({1, 1, 1}), T({2, 2, 2}), T({0, 1, 0.5})},
                      .want = {T({0, 1, 0.75})},
                      .check_gradient = false},
                     {.name = "shapes", .inputs = {T({1, 2}), T({1, 2, 3}), Tensor(0.5f)}, .want_error = "shape"}});

INSTANTIATE_OP_TEST(NextAfter, {{.name = "values",
                                 .inputs = {T({1, 1, 0}), T({2, 0, 1})},
                                 .want = {T({1.0000001, 0.99999994, 1e-45})},
                                 .tolerance = 0,
                                 .check_gradient = false},
                                {.name = "double",
                                 .inputs = {T<double>({1, -1}), T<double>({2})},
                                 .want = {T<double>({1.0000000000000002, -0.9999999999999999})},
                                 .tolerance = 0,
                                 .check_gradient = false}});

}  // namespace
}  // namespace staticflow
