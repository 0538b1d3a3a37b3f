// Recurrent cells as single ops, and what speech models put behind them: CTC.
//
//   LstmStates s = BlockLstm(time, x, cs0, h0, w, wci, wcf, wco, b);      // s.h: [time, batch, cell]
//
// Weights are [input + cell, 4 cell] with the columns of the gates i, ci, f, o one after another (BlockLstm: as i, ci,
// f, o too); peephole weights are [cell]. T is half or float. The gradients come from single ops too and are not
// differentiable again. The functions add to the graph and are not thread-safe.
// Source: LSTMBlockCell, BlockLSTM, GRUBlockCell and tf.nn.ctc_loss (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_RNN_H_
#define STATICFLOW_OPS_RNN_H_

#include <string>
#include <vector>

#include "graph/node_builder.h"

namespace staticflow {

// The gates i, f and o, the new values ci, the state cs, co = tanh(cs) and the output h.
struct LstmStates {
  Output i, cs, f, o, ci, co, h;
};
struct LstmBlockOptions {
  double forget_bias = 1;  // added to the forget gate
  double cell_clip = 3;    // the state stays within +-cell_clip; 0 or less: any
  bool use_peephole = false;
  std::string name = "";
};
// One step: x [batch, input], cs_prev and h_prev [batch, cell].
LstmStates LstmBlockCell(Operand x, Operand cs_prev, Operand h_prev, Operand w, Operand wci, Operand wcf, Operand wco,
                         Operand b, const LstmBlockOptions& options = {});
// All steps: x [time, batch, input]; outputs [time, batch, cell] are 0 from step seq_len_max (int64) on.
LstmStates BlockLstm(Operand seq_len_max, Operand x, Operand cs_prev, Operand h_prev, Operand w, Operand wci,
                     Operand wcf, Operand wco, Operand b, const LstmBlockOptions& options = {});

// The gates r and u, the candidate c and the output h = u h_prev + (1 - u) c. w_ru [input + cell, 2 cell]. float.
struct GruStates {
  Output r, u, c, h;
};
GruStates GruBlockCell(Operand x, Operand h_prev, Operand w_ru, Operand w_c, Operand b_ru, Operand b_c,
                       const OpOptions& options = {});

struct CtcLossOptions {
  bool preprocess_collapse_repeated = false;       // equal neighbours among the labels count once
  bool ctc_merge_repeated = true;                  // equal neighbours in the output count once
  bool ignore_longer_outputs_than_inputs = false;  // no loss, instead of an error, for labels that do not fit
  std::string name = "";
};
// The negative logarithm of the probability of each label sequence: inputs [time, batch, classes] are logits, of which
// the last class is the blank; labels are sparse [batch, longest] (indices, values). float or double; differentiable by
// the inputs. Labels at the end that are blanks are left out. When run: InvalidArgument for an example without labels,
// for a label below 0 or after a blank and, unless ignored, for more labels than steps; an infinite loss where
// repetitions need more steps than that.
Output CtcLoss(Operand inputs, Operand labels_indices, Operand labels_values, Operand sequence_length,
               const CtcLossOptions& options = {});

// A sparse matrix of classes, [batch, longest], as three tensors.
struct CtcPath {
  Output indices, values, shape;
};
struct CtcDecoded {
  std::vector<CtcPath> paths;  // the best first
  Output log_probability;      // [batch, paths]
};
struct CtcGreedyDecoderOptions {
  bool merge_repeated = false;  // equal neighbours in the best classes count once
  int64_t blank_index = -1;     // counted from the end when negative
  std::string name = "";
};
// The best class of each step, without blanks; log_probability is the negative sum of their logits. No gradient.
CtcDecoded CtcGreedyDecoder(Operand inputs, Operand sequence_length, const CtcGreedyDecoderOptions& options = {});

struct CtcBeamSearchDecoderOptions {
  int64_t beam_width = 100;
  int64_t top_paths = 1;       // at most beam_width
  bool merge_repeated = true;  // equal neighbours in a path count once
  std::string name = "";
};
// The most probable label sequences among beam_width prefixes that are kept at each step; the last class is the blank.
// When run: InvalidArgument when there are fewer sequences than top_paths. No gradient.
CtcDecoded CtcBeamSearchDecoder(Operand inputs, Operand sequence_length,
                                const CtcBeamSearchDecoderOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RNN_H_
