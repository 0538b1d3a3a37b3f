// Special functions beyond those of ops/math_unary.h: Bessel functions, integrals, incomplete gamma and beta functions.
//
//   Output p = Igamma(shape, x / scale);            // the distribution function of the gamma distribution
//
// All are element-wise, two operands broadcast, and are computed in double. Outside a function's domain the result is
// NaN. Not thread-safe: all of them add to the graph. Source: tf.math.special and tf.math of these names.
#ifndef STATICFLOW_OPS_MATH_SPECIAL_H_
#define STATICFLOW_OPS_MATH_SPECIAL_H_

#include "graph/node_builder.h"

namespace staticflow {

// The modified Bessel functions of the first kind of order 0 and 1; the "e" forms are multiplied by e^-|x|.
Output BesselI0(Operand x, const OpOptions& options = {});
Output BesselI0e(Operand x, const OpOptions& options = {});
Output BesselI1(Operand x, const OpOptions& options = {});
Output BesselI1e(Operand x, const OpOptions& options = {});
// Those of the second kind, x > 0; the "e" forms are multiplied by e^x.
Output BesselK0(Operand x, const OpOptions& options = {});
Output BesselK0e(Operand x, const OpOptions& options = {});
Output BesselK1(Operand x, const OpOptions& options = {});
Output BesselK1e(Operand x, const OpOptions& options = {});
// The Bessel functions of the first and the second kind of order 0 and 1; Y: x > 0.
Output BesselJ0(Operand x, const OpOptions& options = {});
Output BesselJ1(Operand x, const OpOptions& options = {});
Output BesselY0(Operand x, const OpOptions& options = {});
Output BesselY1(Operand x, const OpOptions& options = {});

Output Dawsn(Operand x, const OpOptions& options = {});       // e^(-x^2) times the integral of e^(t^2) from 0 to x
Output Expint(Operand x, const OpOptions& options = {});      // Ei, the integral of e^t / t from -infinity to x; x > 0
Output FresnelCos(Operand x, const OpOptions& options = {});  // the integral of cos(pi t^2 / 2) from 0 to x
Output FresnelSin(Operand x, const OpOptions& options = {});  // the same of the sine
Output Spence(Operand x, const OpOptions& options = {});      // the integral of log t / (1 - t) from 1 to x >= 0

Output Erfinv(Operand x, const OpOptions& options = {});  // the inverse of Erf, -1 <= x <= 1
Output Ndtri(Operand x, const OpOptions& options = {});   // the normal distribution's quantile, 0 <= x <= 1

// The regularized incomplete gamma functions, the share of the integral of t^(a-1) e^-t up to x, and beyond x.
// No second gradient by a.
Output Igamma(Operand a, Operand x, const OpOptions& options = {});
Output Igammac(Operand a, Operand x, const OpOptions& options = {});
// The regularized incomplete beta function: the share of the integral of t^(a-1) (1-t)^(b-1) up to x. The gradient is
// by x alone. a, b and x have one shape, or are scalars.
Output Betainc(Operand a, Operand b, Operand x, const OpOptions& options = {});

// The next number after x in the direction of y. No gradient by y.
Output NextAfter(Operand x, Operand y, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_SPECIAL_H_
