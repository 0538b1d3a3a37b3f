// All diagnoses in one header.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_DIAGNOSTICS_H_
#define STATICFLOW_OPS_DIAGNOSTICS_DIAGNOSTICS_H_

#include "graph/batch_dependence.h"              // IWYU pragma: export
#include "ops/analysis/batch_norm_layers.h"      // IWYU pragma: export
#include "ops/analysis/checkpoint_coverage.h"    // IWYU pragma: export
#include "ops/analysis/gradient_coverage.h"      // IWYU pragma: export
#include "ops/analysis/update_ops.h"             // IWYU pragma: export
#include "ops/diagnostics/batch_confirmation.h"  // IWYU pragma: export
#include "ops/diagnostics/batch_norm_audit.h"    // IWYU pragma: export
#include "ops/diagnostics/check_gradients.h"     // IWYU pragma: export
#include "ops/diagnostics/folded_export.h"       // IWYU pragma: export
#include "ops/diagnostics/reestimate.h"          // IWYU pragma: export
#include "ops/diagnostics/skew.h"                // IWYU pragma: export
#include "ops/diagnostics/wiring_audit.h"        // IWYU pragma: export
#include "runtime/explain.h"                     // IWYU pragma: export

#endif  // STATICFLOW_OPS_DIAGNOSTICS_DIAGNOSTICS_H_
